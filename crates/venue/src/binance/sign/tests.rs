//! Vectors: the exchange's published examples where there are any, else computed apart from this code.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;

/// The key pair of the exchange's documents.
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// Name, payload, HMAC-SHA256.
const HMAC: [(&str, &str, &str); 17] = [
    (
        "S1",
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        "S2",
        "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        "S2n",
        "symbol=１２３４５６&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "ca2cdfbf21d2e2958de492c7f2dd1f059dd2ed4d4459d26a5ec7928db50c8d4f",
    ),
    (
        "S3",
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
    (
        "S4",
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    ),
    (
        "S5",
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=0.10000000&quantity=1.00000000&recvWindow=5000&side=BUY&symbol=１２３４５６&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    ),
    (
        "S6",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00100000&price=50000.00&newClientOrderId=trn-dca-000001-bo&newOrderRespType=RESULT&recvWindow=5000&timestamp=1795000000000",
        "4627715bd20dda54df905e81ff4e60079684aedcb43f35d3aeb195f73362d132",
    ),
    (
        "S7",
        "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100.00&newClientOrderId=trn-dca-000001-bo&newOrderRespType=FULL&recvWindow=5000&timestamp=1795000000000",
        "c33510ff71a65eaf2861b28bd499a716191333e56774c7f5cbdc6e4b9728da3f",
    ),
    (
        "S8",
        "symbol=BTCUSDT&origClientOrderId=trn-dca-000001-bo&recvWindow=5000&timestamp=1795000000000",
        "f9433ed39aad0d0093e4f62f3e08a1612be776c05735b46568aa8e37a018216d",
    ),
    (
        "S9",
        "omitZeroBalances=true&recvWindow=5000&timestamp=1795000000000",
        "84ab6b48336fbf84cf3765b1c516902788f51ec3d40cdad8c535ac01bf93e3e8",
    ),
    (
        "S10",
        "symbol=BTCUSDT&side=SELL&type=LIMIT_MAKER&quantity=0.00100000&price=52000.00&recvWindow=5000.123&timestamp=1795000000000123",
        "0ccc02d75fa372d82943e9638429b90bd266ab64a581b82072c699e26f3c7086",
    ),
    (
        "S11",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&cancelReplaceMode=STOP_ON_FAILURE&timeInForce=GTC&quantity=0.00100000&price=49900.00&cancelOrigClientOrderId=trn-grid-7-b3&newClientOrderId=trn-grid-7-b3.1&recvWindow=5000&timestamp=1795000000000",
        "ab47cffc6651f47471b36357b179914306afad52884fdc5a3a2b325632be95b0",
    ),
    (
        "S12",
        "symbol=BTCUSDT&orderId=28&cancelRestrictions=ONLY_NEW&timestamp=1795000000000",
        "877858e3a6973a87653294f2390c425a0cb27c634e50f0deef8afc389728a971",
    ),
    (
        "S13",
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&timestamp=1795000000000",
        "54c998b6d087d5f681e3ed55e746060d4e7444fc3dc28c9a6b908e4efa287c36",
    ),
    (
        "S14",
        "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&recvWindow=5000&timestamp=1795000000000",
        "32fe9e01277a3716480bf5cf8eb43ae78bf56114a443868b98962ed9b9b47c78",
    ),
    (
        "S15",
        "symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D&timestamp=1795000000000",
        "2106248560ba30c217458b435ff61996c54d6bdcf44be463bf3db19fe409582f",
    ),
    (
        "S16",
        "timestamp=1700000000000&symbol=BTCUSDT&side=BUY&newClientOrderId=tr-1&newOrderRespType=FULL&type=LIMIT&quantity=0.001&price=50000&timeInForce=GTC&recvWindow=10000",
        "7e8c2dc778fcd64a8ec38dcb85cfccac340ade4bebc05e67b9c3fe4774228544",
    ),
];

/// RFC 8032, test 1, as PKCS#8.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

const ED25519_SIGNED: [(&str, &str); 3] = [
    (
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918&recvWindow=5000",
        "XtZirsmmi0noRzUfkqktvkVfxpkq/WtbLg2UOL3QGYdUBZVlqOBEMuEVw8zioY93N54NcKj9UuAXQEa9zgTDBg==",
    ),
    (
        "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918&recvWindow=5000",
        "FWYdifsZ1T+XvAR4JXeCD399kQM9CBUnEKjWb0+jS1X00g+LgvtR8uBv2T7dn1gFf9GPIhHnYlM+6vBsJOnMDA==",
    ),
    (
        "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1795000000000",
        "Q9BZtGEcJG8cVAPjcMPDZNgaAwwelAsvQNWRfNOsYw3VCoPWRe7IWtKbeyfBTvwQ+SKI8Ge2TofJfq3ex1ChDw==",
    ),
];

fn signer(secret: &str) -> Signer {
    Signer::new(&ApiSecret::new(secret.to_owned()).unwrap()).unwrap()
}

#[test]
fn shared_secrets_sign_like_the_published_examples() {
    let signer = signer(SECRET);
    for (name, payload, signature) in HMAC {
        assert_eq!(signer.sign(payload.as_bytes()).unwrap(), signature, "{name}");
    }
}

#[test]
fn ed25519_signs_like_the_vectors() {
    let signer = signer(ED25519);
    for (payload, signature) in ED25519_SIGNED {
        assert_eq!(signer.sign(payload.as_bytes()).unwrap(), signature);
    }
}

#[test]
fn rsa_signatures_can_be_checked_with_the_public_key() {
    let signer = signer(include_str!("rsa_for_tests.pem"));
    let Signer::Rsa(key) = &signer else { panic!("{signer:?}") };

    let signature = STANDARD.decode(signer.sign(b"symbol=BTCUSDT").unwrap()).unwrap();

    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
    assert!(public.verify(b"symbol=BTCUSDT", &signature).is_ok());
    assert!(public.verify(b"symbol=BTCUSDC", &signature).is_err());
}

#[test]
fn values_are_encoded_before_they_are_signed() {
    let params = Params::default()
        .with("symbol", "１２３４５６")
        .with("side", "BUY")
        .with("type", "LIMIT")
        .with("timeInForce", "GTC")
        .with("quantity", "1")
        .with("price", "0.1")
        .with("recvWindow", "5000")
        .with("timestamp", "1499827319559");

    let sealed = signer(SECRET).seal(params).unwrap();

    let (payload, signature) = sealed.split_once("&signature=").unwrap();
    assert_eq!(payload, HMAC[1].1);
    assert_eq!(signature, HMAC[1].2);
    let list = Params::default().with("symbols", "[\"BTCUSDT\",\"ETHUSDT\"]").into_text();
    assert_eq!(list, "symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D");
}

#[test]
fn base64_signatures_are_encoded_for_the_query() {
    let params = Params::default()
        .with("symbol", "BTCUSDT")
        .with("side", "SELL")
        .with("type", "LIMIT")
        .with("timeInForce", "GTC")
        .with("quantity", "1")
        .with("price", "0.2")
        .with("timestamp", "1668481559918")
        .with("recvWindow", "5000");

    let sealed = signer(ED25519).seal(params).unwrap();

    let encoded = ED25519_SIGNED[0].1.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    assert!(sealed.ends_with(&format!("&signature={encoded}")), "{sealed}");
}

#[test]
fn socket_parameters_are_sorted_and_not_encoded() {
    let text = |text: &str| text.to_owned();
    let params = BTreeMap::from([
        ("timestamp", text("1645423376532")),
        ("apiKey", text("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A")),
        ("symbol", text("１２３４５６")),
        ("side", text("BUY")),
        ("type", text("LIMIT")),
        ("timeInForce", text("GTC")),
        ("price", text("0.10000000")),
        ("quantity", text("1.00000000")),
        ("recvWindow", text("5000")),
    ]);

    let signature = signer(SECRET).sign_sorted(&params).unwrap();

    let (_, _, wanted) = HMAC.iter().find(|(name, ..)| *name == "S5").unwrap();
    assert_eq!(&signature, wanted);
}

#[test]
fn what_is_no_private_key_is_refused() {
    for text in [
        "-----BEGIN PRIVATE KEY-----\nnot base64!\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN",
    ] {
        let secret = ApiSecret::new(text.to_owned()).unwrap();
        assert_eq!(Signer::new(&secret).err(), Some(BadKey::PrivateKey), "{text}");
    }
}

#[test]
fn a_signer_shows_no_secret() {
    assert_eq!(format!("{:?}", signer(SECRET)), "Signer(HMAC)");
    assert_eq!(format!("{:?}", signer(ED25519)), "Signer(Ed25519)");
}

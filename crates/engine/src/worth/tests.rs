use tranche_model::{
    asset::Symbol,
    client_order_id::{ClientOrderId, OrderKey, Origin},
    fill::{Fee, Liquidity},
    ids::{BotId, DealNo, Generation, Incarnation, Installation, Slot, VenueOrderId},
    instrument::Instrument,
    money::Qty,
    order::Side,
    time::Timestamp,
};

use super::*;

#[test]
fn fee_of_nothing_and_fees_of_others_need_no_price() {
    let instruments = Instruments::new(listed(&["AAA/USDT", "BNB/USDT"])).unwrap();
    let (bnb, usdt) = (asset("BNB"), asset("USDT"));
    let ours = fill("0.1", bnb);

    assert_eq!(missing(&ours, &instruments), Some((bnb, usdt)));

    assert_eq!(missing(&fill("0", bnb), &instruments), None);
    assert_eq!(missing(&fill("0.1", usdt), &instruments), None);
    assert_eq!(missing(&fill("0.1", asset("AAA")), &instruments), None);
    assert_eq!(missing(&Fill { client_id: None, ..ours }, &instruments), None);
    let valued = Fee { in_quote: Quote::parse("60").ok(), ..ours.fee };
    assert_eq!(missing(&Fill { fee: valued, ..ours }, &instruments), None);
}

fn fill(amount: &str, asset: Asset) -> Fill {
    let origin = Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) };
    let (deal, generation) = (DealNo::new(1), Generation::new(1));
    let key = OrderKey { bot: BotId::new(1), deal, slot: Slot::BASE, generation };
    Fill {
        trade_id: TradeId::new(1),
        client_id: ClientOrderId::pack(origin, key),
        venue_order_id: VenueOrderId::new(1),
        instrument: InstrumentId::new(0),
        side: Side::Buy,
        price: Price::parse("100").unwrap(),
        qty: Qty::parse("1").unwrap(),
        quote: Quote::parse("100").unwrap(),
        fee: Fee { asset, amount: Amount::parse(amount).unwrap(), in_quote: None },
        liquidity: Liquidity::Taker,
        at: Timestamp::from_ms(0),
    }
}

#[test]
fn own_pair_comes_before_its_inverse_and_that_before_two_pairs() {
    let all = ["BNB/USDT", "USDT/BNB", "BNB/BTC", "BTC/USDT"];

    assert_eq!(shown(&all, "BNB", "USDT"), ["*0", "/1", "*2 *3"]);
    assert_eq!(shown(&all[1..], "BNB", "USDT"), ["/0", "*1 *2"]);
    assert_eq!(shown(&all[2..], "BNB", "USDT"), ["*0 *1"]);
    assert_eq!(shown(&all[2..3], "BNB", "USDT"), Vec::<String>::new());
}

#[test]
fn two_pairs_are_taken_either_way_round() {
    assert_eq!(shown(&["BNB/X", "X/Q"], "BNB", "Q"), ["*0 *1"]);
    assert_eq!(shown(&["X/BNB", "X/Q"], "BNB", "Q"), ["/0 *1"]);
    assert_eq!(shown(&["BNB/X", "Q/X"], "BNB", "Q"), ["*0 /1"]);
    assert_eq!(shown(&["X/BNB", "Q/X"], "BNB", "Q"), ["/0 /1"]);
}

#[test]
fn common_asset_is_the_one_with_the_most_pairs() {
    let few = ["BNB/AAA", "AAA/Q", "BNB/USDT", "USDT/Q", "XYZ/USDT"];

    assert_eq!(shown(&few, "BNB", "Q"), ["*2 *3", "*0 *1"]);
}

#[test]
fn closed_pairs_come_last_and_those_that_are_gone_not_at_all() {
    let mut list = listed(&["BNB/USDT", "BNB/BTC", "BTC/USDT"]);
    list[0].status = TradingStatus::Halted;
    let routes_of = |list: &[Instrument]| {
        let instruments = Instruments::new(list.to_vec()).unwrap();
        told(&routes(&instruments, asset("BNB"), asset("USDT")))
    };
    assert_eq!(routes_of(&list), ["*1 *2", "*0"]);

    list[1].status = TradingStatus::Delisted;
    assert_eq!(routes_of(&list), ["*0"]);
}

#[test]
fn worth_is_rounded_up_to_twelve_digits_at_each_conversion() {
    let cases = [
        // 0.00012345 × 612.34 = 0.075593373, all of it.
        (vec!["BNB/USDT"], "0.00012345", vec!["612.34"], "0.075593373"),
        // 0.00012345 ÷ 0.0016 = 0.07715625.
        (vec!["USDT/BNB"], "0.00012345", vec!["0.0016"], "0.07715625"),
        // 0.1 ÷ 3 = 0.0333…, the last digit up.
        (vec!["USDT/BNB"], "0.1", vec!["3"], "0.033333333334"),
        // 0.00000001 × 0.00001234 = 1.234 of the thirteenth digit.
        (vec!["BNB/USDT"], "0.00000001", vec!["0.00001234"], "0.000000000001"),
        // 1 ÷ 3 up, then × 3: what the first conversion added is kept.
        (vec!["X/BNB", "X/USDT"], "1", vec!["3", "3"], "1.000000000002"),
        // What is given back is rounded against us too.
        (vec!["USDT/BNB"], "-0.1", vec!["3"], "-0.033333333333"),
    ];
    for (names, amount, prices, want) in cases {
        let instruments = Instruments::new(listed(&names)).unwrap();
        let routes = routes(&instruments, asset("BNB"), asset("USDT"));
        let price = |id: InstrumentId| {
            Some(Price::parse(prices[usize::try_from(id.get()).unwrap()]).unwrap())
        };

        let worth = worth(Amount::parse(amount).unwrap(), &routes, price);

        assert_eq!(worth, Some(Quote::parse(want).unwrap()), "{names:?} {amount}");
    }
}

#[test]
fn without_a_price_the_next_route_counts_and_without_any_it_is_not_known() {
    let instruments = Instruments::new(listed(&["BNB/USDT", "BNB/BTC", "BTC/USDT"])).unwrap();
    let routes = routes(&instruments, asset("BNB"), asset("USDT"));
    let one = Amount::parse("1").unwrap();
    let at = |known: &'static [(u32, &str)]| {
        move |id: InstrumentId| {
            let price = known.iter().find(|(number, _)| *number == id.get());
            price.map(|(_, price)| Price::parse(price).unwrap())
        }
    };

    let worth_at = |known| worth(one, &routes, at(known)).map(|worth| worth.to_string());

    assert_eq!(worth_at(&[(0, "600"), (1, "0.01"), (2, "61000")]).as_deref(), Some("600"));
    assert_eq!(worth_at(&[(1, "0.01"), (2, "61000")]).as_deref(), Some("610"));
    assert_eq!(worth_at(&[(0, "0"), (2, "61000")]), None, "nobody trades at nothing");
    assert_eq!(worth_at(&[]), None);
}

#[test]
fn worth_that_no_number_holds_is_not_known() {
    let instruments = Instruments::new(listed(&["BNB/USDT"])).unwrap();
    let routes = routes(&instruments, asset("BNB"), asset("USDT"));
    let vast = "79228162514264337593543950335";

    let worth = worth(Amount::parse(vast).unwrap(), &routes, |_| Price::parse(vast).ok());

    assert_eq!(worth, None);
}

#[test]
fn what_was_stamped_first_is_remembered_for_a_while() {
    let mut stamps = Stamps::default();
    let name = |trade: usize| {
        let trade = TradeId::new(u128::try_from(trade).unwrap());
        (AccountId::new(1), InstrumentId::new(0), trade)
    };
    let worth = Stamp::Worth(Quote::parse("1").unwrap());
    for trade in 0..STAMPS_MAX {
        stamps.put(name(trade), worth);
    }
    assert_eq!(stamps.get(name(0)), Some(worth));

    stamps.put(name(STAMPS_MAX), Stamp::Booked);

    assert_eq!(stamps.get(name(0)), None);
    assert_eq!(stamps.get(name(1)), Some(worth));
    assert_eq!(stamps.get(name(STAMPS_MAX)), Some(Stamp::Booked));
}

fn asset(name: &str) -> Asset {
    Asset::parse(name).unwrap()
}

fn listed(names: &[&str]) -> Vec<Instrument> {
    let symbols = names.iter().map(|name| Symbol::parse(name).unwrap());
    let listed = (0..).zip(symbols);
    listed.map(|(id, symbol)| Instrument::new(InstrumentId::new(id), symbol, Vec::new())).collect()
}

fn shown(names: &[&str], from: &str, to: &str) -> Vec<String> {
    let instruments = Instruments::new(listed(names)).unwrap();
    told(&routes(&instruments, asset(from), asset(to)))
}

fn told(routes: &[Route]) -> Vec<String> {
    let leg = |leg: &Leg| match leg.way {
        Way::Times => format!("*{}", leg.instrument.get()),
        Way::Divided => format!("/{}", leg.instrument.get()),
    };
    routes.iter().map(|route| route.iter().map(leg).collect::<Vec<_>>().join(" ")).collect()
}

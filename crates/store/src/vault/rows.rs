//! The vault's rows.

use tranche_model::{ids::UserId, time::Timestamp};
use zeroize::Zeroizing;

use super::{
    Credential, CredentialId, MasterKeys, NewCredential, OpenCredential, Rotation, Secret,
    VaultError,
    seal::{self, AES_256_GCM, Key, NONCE_LEN, Words},
};
use crate::{
    chance,
    error::StoreError,
    sql::{Cells, Insert, Statement, Tx},
    store::Store,
};

const CREDENTIAL: &str = "SELECT credential, user_id, venue, label, hint, kek, created_at, \
    rotated_at, may_withdraw, alg, nonce_dek, dek_wrapped FROM credentials";
/// The field under which a data key is bound.
const DATA_KEY: &str = "dek";
const PROOF: &[u8] = b"tranche";
/// Credentials wrapped anew in one transaction.
const ROTATE_AT_ONCE: u32 = 500;

/// A row with what unwraps its data key.
struct Sealed {
    credential: Credential,
    alg: u16,
    nonce: Vec<u8>,
    wrapped: Vec<u8>,
}

impl Store {
    /// Seals a key for a user. Nothing of it is readable in the database.
    pub async fn seal(
        &self,
        keys: &MasterKeys,
        new: &NewCredential<'_>,
        now: Timestamp,
    ) -> Result<CredentialId, VaultError> {
        let names = new.fields.iter().map(|(field, _)| *field).chain([new.venue]);
        for name in names {
            if !seal::is_name(name) {
                return Err(VaultError::BadName(name.to_owned()));
            }
        }
        let kek = keys.current();
        let mut tx = self.write.begin().await.map_err(StoreError::from)?;
        if tx.is_postgres() {
            let lock = Statement::new("LOCK TABLE credentials IN SHARE ROW EXCLUSIVE MODE");
            tx.run(lock).await.map_err(StoreError::from)?;
        }
        let next = Statement::new("SELECT COALESCE(MAX(credential), 0) + 1 FROM credentials");
        let row = tx.row("credentials", next).await?;
        let id = row.ok_or(VaultError::NoMasterKey(kek))?.id().map(CredentialId::new)?;
        let words = Words::new(new.user.get(), id, new.venue);
        let dek = Key::draw()?;
        let nonce = chance::bytes::<NONCE_LEN>()?;
        let wrapped = wrap(keys, kek, nonce, &dek, &words)?;
        let added = Statement::new(
            "INSERT INTO credentials (credential, user_id, venue, label, hint, alg, kek, \
             nonce_dek, dek_wrapped, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        );
        let added = added.bind(id.get()).bind(new.user).bind(new.venue).bind(new.label);
        let added = added.bind(new.hint).bind(AES_256_GCM).bind(kek);
        let added = added.bind(nonce.as_slice()).bind(wrapped).bind(now);
        tx.run(added).await.map_err(StoreError::from)?;
        write_fields(&mut tx, id, new, &dek, &words).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(id)
    }

    /// Opens a sealed key.
    pub async fn open_credential(
        &self,
        keys: &MasterKeys,
        id: CredentialId,
    ) -> Result<OpenCredential, VaultError> {
        let one = Statement::composed(format!("{CREDENTIAL} WHERE credential = $1"));
        let row = self.read.row("credentials", one.bind(id.get())).await?;
        let sealed = read_sealed(row.ok_or(VaultError::NoCredential(id))?)?;
        let words = Words::new(sealed.credential.user.get(), id, &sealed.credential.venue);
        let dek = unwrap(keys, &sealed, &words)?;
        let all = Statement::new(
            "SELECT field, nonce, ciphertext FROM credential_fields WHERE credential = $1",
        );
        let mut fields = Vec::new();
        for mut row in self.read.rows("credential_fields", all.bind(id.get())).await? {
            let (field, nonce, sealed) = (row.text()?, row.bytes()?, row.bytes()?);
            let damaged = || VaultError::Damaged { credential: id, part: field.clone() };
            let aad = words.binding().field(&field);
            let plain = dek.open(&nonce, &sealed, &aad).map_err(|_| damaged())?;
            let text = str::from_utf8(&plain).map_err(|_| damaged())?;
            let secret = Secret::new(text.to_owned());
            fields.push((field, secret));
        }
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(OpenCredential { credential: sealed.credential, fields })
    }

    /// All sealed keys, unopened.
    pub async fn credentials(&self) -> Result<Vec<Credential>, StoreError> {
        let all = Statement::composed(format!("{CREDENTIAL} ORDER BY credential"));
        let rows = self.read.rows("credentials", all).await?;
        rows.into_iter().map(|row| Ok(read_sealed(row)?.credential)).collect()
    }

    /// Writes down what the exchange said of a key.
    pub async fn note_rights(
        &self,
        id: CredentialId,
        may_withdraw: Option<bool>,
    ) -> Result<(), StoreError> {
        let noted =
            Statement::new("UPDATE credentials SET may_withdraw = $2 WHERE credential = $1");
        let noted = noted.bind(id.get()).bind(may_withdraw.map(i64::from));
        self.write.run(noted).await?;
        Ok(())
    }

    /// Takes a sealed key away. An account that uses it keeps it.
    pub async fn remove_credential(&self, id: CredentialId) -> Result<(), VaultError> {
        let mut tx = self.write.begin().await.map_err(StoreError::from)?;
        let used = Statement::new("SELECT account FROM accounts WHERE credential = $1 LIMIT 1");
        if tx.row("accounts", used.bind(id.get())).await?.is_some() {
            return Err(VaultError::InUse(id));
        }
        let fields = Statement::new("DELETE FROM credential_fields WHERE credential = $1");
        tx.run(fields.bind(id.get())).await.map_err(StoreError::from)?;
        let gone = Statement::new("DELETE FROM credentials WHERE credential = $1").bind(id.get());
        if tx.run(gone).await.map_err(StoreError::from)? == 0 {
            return Err(VaultError::NoCredential(id));
        }
        Ok(tx.commit().await.map_err(StoreError::from)?)
    }

    /// The numbers of all master keys that this database ever saw.
    pub async fn master_key_numbers(&self) -> Result<Vec<u32>, StoreError> {
        let all = Statement::new("SELECT kek FROM master_keys ORDER BY kek");
        let rows = self.read.rows("master_keys", all).await?;
        rows.into_iter().map(|mut row| row.id()).collect()
    }

    /// Says whether these are the master keys of this database: each is the one that had its number
    /// before, and none is missing that something is sealed with. Do this at each start.
    pub async fn check_master_keys(
        &self,
        keys: &MasterKeys,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let used = Statement::new("SELECT DISTINCT kek FROM credentials ORDER BY kek");
        for mut row in self.write.rows("credentials", used).await? {
            let kek = row.id()?;
            if keys.key(kek).is_none() {
                return Err(VaultError::NoMasterKey(kek));
            }
        }
        for kek in keys.numbers() {
            self.prove(keys, kek, now).await?;
        }
        Ok(())
    }

    async fn prove(&self, keys: &MasterKeys, kek: u32, now: Timestamp) -> Result<(), VaultError> {
        let key = keys.key(kek).ok_or(VaultError::NoMasterKey(kek))?;
        let nonce = chance::bytes::<NONCE_LEN>()?;
        let proof = key.seal(nonce, PROOF, &seal::proof(kek))?;
        let noted = Statement::new(
            "INSERT INTO master_keys (kek, nonce, proof, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (kek) DO NOTHING",
        );
        let noted = noted.bind(kek).bind(nonce.as_slice()).bind(proof).bind(now);
        self.write.run(noted).await.map_err(StoreError::from)?;
        let known = Statement::new("SELECT nonce, proof FROM master_keys WHERE kek = $1").bind(kek);
        let row = self.write.row("master_keys", known).await?;
        let mut row = row.ok_or(VaultError::WrongMasterKey(kek))?;
        let (nonce, proof) = (row.bytes()?, row.bytes()?);
        let opened = key.open(&nonce, &proof, &seal::proof(kek));
        opened.map(|_| ()).map_err(|_| VaultError::WrongMasterKey(kek))
    }

    /// Wraps data keys anew that a former master key wraps, at most `limit` of them. No secret is
    /// opened. It may be stopped at any time and called again, until nothing is left.
    pub async fn rotate(
        &self,
        keys: &MasterKeys,
        limit: u32,
        now: Timestamp,
    ) -> Result<Rotation, VaultError> {
        let kek = keys.current();
        let mut done = 0;
        while done < u64::from(limit) {
            let left = u32::try_from(u64::from(limit).saturating_sub(done)).unwrap_or(u32::MAX);
            match self.rotate_some(keys, left.min(ROTATE_AT_ONCE), now).await? {
                0 => break,
                some => done = done.saturating_add(some),
            }
        }
        let left = Statement::new("SELECT COUNT(*) FROM credentials WHERE kek <> $1").bind(kek);
        let row = self.write.row("credentials", left).await?;
        let left = row.map_or(Ok(0), |mut row| row.id())?;
        Ok(Rotation { done, left })
    }

    async fn rotate_some(
        &self,
        keys: &MasterKeys,
        limit: u32,
        now: Timestamp,
    ) -> Result<u64, VaultError> {
        let kek = keys.current();
        let mut tx = self.write.begin().await.map_err(StoreError::from)?;
        let lock = if tx.is_postgres() { "FOR UPDATE" } else { "" };
        let some = format!("{CREDENTIAL} WHERE kek <> $1 ORDER BY credential LIMIT $2 {lock}");
        let some = Statement::composed(some).bind(kek).bind(limit);
        let mut done = 0_u64;
        for row in tx.rows("credentials", some).await? {
            let sealed = read_sealed(row)?;
            let Credential { credential, user, ref venue, .. } = sealed.credential;
            let words = Words::new(user.get(), credential, venue);
            let dek = unwrap(keys, &sealed, &words)?;
            let nonce = chance::bytes::<NONCE_LEN>()?;
            let wrapped = wrap(keys, kek, nonce, &dek, &words)?;
            let moved = Statement::new(
                "UPDATE credentials SET kek = $2, nonce_dek = $3, dek_wrapped = $4, \
                 rotated_at = $5 WHERE credential = $1",
            );
            let moved = moved.bind(credential.get()).bind(kek).bind(nonce.as_slice());
            tx.run(moved.bind(wrapped).bind(now)).await.map_err(StoreError::from)?;
            done = done.saturating_add(1);
        }
        tx.commit().await.map_err(StoreError::from)?;
        Ok(done)
    }
}

async fn write_fields(
    tx: &mut Tx,
    id: CredentialId,
    new: &NewCredential<'_>,
    dek: &Key,
    words: &Words,
) -> Result<(), VaultError> {
    let mut rows = Vec::with_capacity(new.fields.len());
    for (field, secret) in new.fields {
        let nonce = chance::bytes::<NONCE_LEN>()?;
        let sealed = dek.seal(nonce, secret.expose().as_bytes(), &words.binding().field(field))?;
        rows.push([id.get().into(), (*field).into(), nonce.as_slice().into(), sealed.into()]);
    }
    let fields = Insert::new("credential_fields (credential, field, nonce, ciphertext)", rows);
    Ok(fields.run(tx).await.map_err(StoreError::from)?)
}

fn wrap(
    keys: &MasterKeys,
    kek: u32,
    nonce: [u8; NONCE_LEN],
    dek: &Key,
    words: &Words,
) -> Result<Vec<u8>, VaultError> {
    let master = keys.key(kek).ok_or(VaultError::NoMasterKey(kek))?;
    Ok(master.seal(nonce, dek.bytes(), &words.binding().data_key(kek, DATA_KEY))?)
}

fn unwrap(keys: &MasterKeys, sealed: &Sealed, words: &Words) -> Result<Key, VaultError> {
    let Credential { credential, kek, .. } = sealed.credential;
    if sealed.alg != AES_256_GCM {
        return Err(VaultError::Newer(credential));
    }
    let master = keys.key(kek).ok_or(VaultError::NoMasterKey(kek))?;
    let damaged = || VaultError::Damaged { credential, part: "data key".to_owned() };
    let aad = words.binding().data_key(kek, DATA_KEY);
    let plain: Zeroizing<Vec<u8>> =
        master.open(&sealed.nonce, &sealed.wrapped, &aad).map_err(|_| damaged())?;
    Key::from_plain(&plain).map_err(|_| damaged())
}

fn read_sealed(mut row: Cells) -> Result<Sealed, StoreError> {
    let credential = Credential {
        credential: CredentialId::new(row.id()?),
        user: UserId::new(row.id()?),
        venue: row.text()?,
        label: row.text()?,
        hint: row.text()?,
        kek: row.id()?,
        created_at: row.time()?,
        rotated_at: row.time_or_null()?,
        may_withdraw: row.int_or_null()?.map(|flag| flag != 0),
    };
    Ok(Sealed { credential, alg: row.id()?, nonce: row.bytes()?, wrapped: row.bytes()? })
}

//! Where PostgreSQL's programs are, and as whom its server runs.

use std::{fs, path::PathBuf, process::Command};

/// As whom the server runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Debian's place for them, one folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder with `initdb` and the others: the newest version, or where `pg_config` says.
pub(super) fn programs() -> Result<PathBuf, String> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path().join("bin");
            folder.join("initdb").exists().then_some((version, folder))
        })
        .collect();
    found.sort();
    if let Some((_, folder)) = found.pop() {
        return Ok(folder);
    }
    let asked = Command::new("pg_config").arg("--bindir").output();
    let folder = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let folder = folder.map(|folder| PathBuf::from(folder.trim()));
    folder.filter(|folder| folder.join("initdb").exists()).ok_or_else(|| {
        "PostgreSQL is not installed; on Debian: apt-get install postgresql".to_owned()
    })
}

/// The account for a server whose folder belongs to `owner`. The server refuses to run as root, so root
/// lends it another one; anybody else runs it as himself.
pub(super) fn server_account(owner: u32) -> Result<Option<Account>, String> {
    if !is_root(owner) {
        return Ok(None);
    }
    let table = fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
    let account = ["postgres", "nobody"].into_iter().find_map(|name| account_of(&table, name));
    match account {
        Some(account) => Ok(Some(account)),
        None => Err("root needs an account `postgres` or `nobody` to run PostgreSQL as".to_owned()),
    }
}

/// A folder that root made belongs to root, or to whom root gave it.
fn is_root(owner: u32) -> bool {
    let own = fs::metadata("/proc/self").map(|process| {
        use std::os::unix::fs::MetadataExt as _;
        process.uid()
    });
    own.unwrap_or(owner) == 0
}

fn account_of(table: &str, name: &str) -> Option<Account> {
    let mut fields = table.lines().find(|line| line.split(':').next() == Some(name))?.split(':');
    let user = fields.nth(2)?.parse().ok()?;
    Some(Account { user, group: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_is_read_from_the_table() {
        let table = "root:x:0:0:root:/root:/bin/sh\npostgres:x:105:109:,,,:/var/lib:/bin/bash\n";

        let account = account_of(table, "postgres").unwrap();

        assert_eq!((account.user, account.group), (105, 109));
        assert!(account_of(table, "nobody").is_none());
    }
}

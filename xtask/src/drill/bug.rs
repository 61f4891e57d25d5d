//! A bug: a name, what it means, and the texts that it puts in the place of others.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use toml::{Table, Value};

#[derive(Debug)]
pub(super) struct Bug {
    name: String,
    text: String,
    story: String,
    edits: Vec<Edit>,
}

/// One text in place of another, which stands exactly once in its file.
#[derive(Debug)]
pub(super) struct Edit {
    file: String,
    find: String,
    put: String,
}

/// All bugs of `xtask/drill`, by number.
pub(super) fn read_all(root: &Path) -> Result<Vec<Bug>, String> {
    let folder = root.join("xtask/drill");
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut bugs = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let text = fs::read_to_string(&path).map_err(failed)?;
        bugs.push(Bug::parse(&name.unwrap_or_default(), &text)?);
    }
    bugs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(bugs)
}

impl Bug {
    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| format!("{name}: {error}"))?;
        let story = string(&table, "story").map_err(|error| format!("{name}: {error}"))?;
        let edits = table.get("edit").and_then(Value::as_array);
        let edits = edits.ok_or_else(|| format!("{name}: no [[edit]]"))?;
        let edits = edits.iter().map(Edit::parse).collect::<Result<_, _>>();
        let edits = edits.map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name: name.to_owned(), text: text.to_owned(), story, edits })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn story(&self) -> &str {
        &self.story
    }

    #[cfg(test)]
    pub(super) fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// Tells apart what was found for this bug in this tree from what was found before.
    pub(super) fn mark(&self, tree: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (tree, &self.text).hash(&mut hasher);
        hasher.finish()
    }

    /// Plants it in the tree at `place`.
    pub(super) fn plant(&self, place: &Path) -> Result<(), String> {
        for edit in &self.edits {
            let text = edit.applied_to(place).map_err(|error| format!("{}: {error}", self.name))?;
            let path = place.join(&edit.file);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

impl Edit {
    fn parse(value: &Value) -> Result<Self, String> {
        let table = value.as_table().ok_or("an [[edit]] is a table")?;
        let text = |key| string(table, key);
        Ok(Self { file: text("file")?, find: text("find")?, put: text("put")? })
    }

    #[cfg(test)]
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The text of its file with the bug in it; an error when the source has moved on.
    pub(super) fn applied_to(&self, place: &Path) -> Result<String, String> {
        let path = place.join(&self.file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", self.file))?;
        match text.matches(&self.find).count() {
            1 => Ok(text.replacen(&self.find, &self.put, 1)),
            count => Err(format!("{} holds {count} times, not once: {}", self.file, self.find)),
        }
    }
}

fn string(table: &Table, key: &str) -> Result<String, String> {
    let text = table.get(key).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("no `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "story = \"s\"\n[[edit]]\nfile = \"Cargo.toml\"\nfind = 'FIND'\nput = 'p'\n";

    #[test]
    fn a_text_that_is_not_there_or_there_twice_is_an_error() {
        let apply = |find: &str| {
            let bug = Bug::parse("01-a", &TEXT.replace("FIND", find)).unwrap();
            bug.edits()[0].applied_to(crate::steps::root())
        };

        assert!(apply("[workspace]").is_ok_and(|text| !text.contains("[workspace]\n")));
        assert!(apply("no such text").unwrap_err().contains("0 times"));
        assert!(apply("tranche").unwrap_err().contains("not once"));
    }

    #[test]
    fn a_bug_without_its_parts_is_an_error() {
        for (text, part) in [("", "story"), ("story = \"s\"", "[[edit]]"), ("a b", "01-a")] {
            assert!(Bug::parse("01-a", text).unwrap_err().contains(part));
        }
        assert!(Bug::parse("01-a", &TEXT.replace("put", "to")).unwrap_err().contains("`put`"));
    }
}

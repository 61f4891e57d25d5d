//! What stands on the page already: it stays where nothing was measured now.

/// What a section says of the prices that it ran on begins so, behind all else that it says.
pub(super) const PRICES: &str = " On a ";

/// The line of a row that was never measured.
pub(super) fn not_measured(what: &str) -> String {
    format!("| {what} | not measured | | | |")
}

/// A section of the page as it stands; empty where the page has none of this title.
pub(super) struct Kept<'a> {
    about: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Kept<'a> {
    pub(super) fn of(page: &'a str, title: &str) -> Self {
        let begin = format!("\n## {title}\n");
        let section = page.split_once(&begin).map_or("", |(_, behind)| behind);
        let section = section.split("\n## ").next().unwrap_or_default();
        let is_row = |line: &&str| line.starts_with("| ");
        Self {
            about: section.lines().find(|line| !line.is_empty()).unwrap_or_default(),
            lines: section.lines().filter(is_row).collect(),
        }
    }

    /// The line of a row, if it was ever measured. Of rows that say the same each has the line behind those
    /// of its `namesakes`.
    pub(super) fn line(&self, what: &str, namesakes: usize) -> Option<&'a str> {
        let begin = format!("| {what} |");
        let mut lines = self.lines.iter().copied().filter(|line| line.starts_with(&begin));
        lines.nth(namesakes).filter(|line| *line != not_measured(what))
    }

    /// The prices that it ran on, as the run had called them.
    pub(super) fn prices(&self) -> Option<&'a str> {
        let (_, prices) = self.about.rsplit_once(PRICES)?;
        prices.strip_suffix('.')
    }
}

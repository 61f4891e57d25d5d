//! The HTML file. Nothing in it comes from anywhere else when it is opened.

use super::Report;

const PAGE: &str = include_str!("../../assets/report/page.html");
const STYLE: &str = include_str!("../../assets/report/style.css");
const SCRIPT: &str = include_str!("../../assets/report/report.js");
/// `TradingView` Lightweight Charts 5.2.1, Apache-2.0; see the notice beside it.
const CHARTS: &str =
    include_str!("../../assets/lightweight-charts/lightweight-charts.standalone.production.js");

/// The report as one page.
pub fn page(report: &Report) -> serde_json::Result<String> {
    let data = harmless(&report.json()?);
    let title = escaped(report.title());
    let fill = |name: &str| match name {
        "title" => title.as_str(),
        "style" => STYLE,
        "data" => data.as_str(),
        "charts" => CHARTS,
        "script" => SCRIPT,
        _ => "",
    };
    let mut page = String::with_capacity(PAGE.len() + CHARTS.len() + data.len() + (1 << 16));
    let mut rest = PAGE;
    // What is filled in is not looked through again: a name in braces stays a name in braces.
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(fill(name));
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

/// JSON that cannot end the element it stands in: the signs that HTML knows are written as numbers.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

//! The report in a real browser: drawn without a network, readable in light and dark, on a wide screen
//! and on a phone, with a mouse and with keys alone.

use std::{
    fs,
    io::Write as _,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tranche_lab::{
    candles::CandleFile,
    instruments,
    report::{Report, Words, page},
    source::Source,
    stats::METRICS,
    sweep::{self, Journal, Method, Parameter, Scene, Space, Study, Windows},
    trial::Market,
};
use tranche_model::{asset::Symbol, ids::InstrumentId, instrument::Instruments, time::Millis};
use tranche_sim::{backtest::Mode, exchange};

use crate::{
    browser::{Browser, Screen},
    market::{generated, plan},
};

const WIDE: Screen = Screen { width: 1280, height: 900, is_dark: false, is_phone: false };
const PHONE: Screen = Screen { width: 360, height: 740, is_dark: false, is_phone: true };
const TAB: u32 = 9;
const ESCAPE: u32 = 27;

/// A picture or chart is there when it has more colours than a ground and a grid.
const CHARTS: &str = "[...document.querySelectorAll('section:not([hidden]) .chart')].map((chart) => {
    const colours = new Set();
    chart.querySelectorAll('canvas').forEach((canvas) => {
        if (!canvas.width || !canvas.height) return;
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        for (let at = 0; at < pixels.length; at += 4) {
            if (pixels[at + 3]) colours.add(pixels[at] << 16 | pixels[at + 1] << 8 | pixels[at + 2]);
        }
    });
    return { name: chart.closest('section').id, colours: colours.size };
})";
const OVERFLOW: &str = "[document.documentElement.scrollWidth - innerWidth,
    ...[...document.querySelectorAll('main *, header *, footer *')].filter((node) => {
        if (node.closest('.scroll, .chart, .skip') || node.matches('.skip, caption')) return false;
        if (getComputedStyle(node).visibility === 'hidden') return false;
        return node.getBoundingClientRect().right > innerWidth + 1;
    }).map((node) => node.outerHTML.slice(0, 80))]";
/// How much the text of each part stands out from its ground, as WCAG computes it.
const CONTRAST: &str = "(() => {
    const parts = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const of = (part) => { const s = part / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; };
        return 0.2126 * of(r) + 0.7152 * of(g) + 0.0722 * of(b);
    };
    const ground = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] !== 0) return colour;
        }
        return [255, 255, 255];
    };
    const poor = [];
    document.querySelectorAll('h1, h2, p, li, dt, dd, th, td, button, .value, a, select').forEach((node) => {
        if (!node.textContent.trim() || node.closest('.chart') || !node.getClientRects().length) return;
        const [a, b] = [light(parts(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) poor.push(node.tagName + ' ' + node.textContent.slice(0, 30) + ' ' + ratio.toFixed(2));
    });
    return poor;
})()";

#[test]
fn the_report_works_in_a_browser_without_a_network() {
    let Some(mut browser) = Browser::start("report") else {
        // Past the capture of the test's output: a skipped test must be seen.
        let why = "no chromium is installed (on Debian: apt-get install chromium)";
        writeln!(std::io::stderr(), "SKIPPED: the report was not shown in a browser: {why}")
            .unwrap();
        return;
    };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    fs::write(&file, page(&report()).unwrap()).unwrap();

    let dark = Screen { is_dark: true, ..WIDE };
    let dark_phone = Screen { is_dark: true, ..PHONE };
    let mut grounds = Vec::new();
    for (name, screen) in
        [("light", WIDE), ("dark", dark), ("phone", PHONE), ("dark-phone", dark_phone)]
    {
        browser.show(&file, screen);
        charts_are_drawn(&mut browser, name);
        assert_eq!(browser.run(OVERFLOW), json!([0]), "{name}: goes sideways");
        assert_eq!(browser.run(CONTRAST), json!([]), "{name}: is hard to read");
        grounds.push(browser.run("getComputedStyle(document.body).backgroundColor"));
        browser.photograph(&file.with_file_name(format!("report-{name}.png")));
        if !screen.is_dark {
            formulas_are_shown_to_a_mouse(&mut browser, name);
        }
    }
    assert_eq!(grounds[0], grounds[2]);
    assert_ne!(grounds[0], grounds[1], "dark is as light as light");
    browser.show(&file, WIDE);
    everything_is_reached_by_keys(&mut browser);
    the_map_changes_with_its_choice(&mut browser);

    assert_eq!(browser.complaints(), Vec::<String>::new());
    let foreign = |url: &String| !url.starts_with("file://") && !url.starts_with("data:");
    assert_eq!(browser.requests().into_iter().find(foreign), None);
}

fn charts_are_drawn(browser: &mut Browser, name: &str) {
    let charts = browser.run(CHARTS);
    let charts = charts.as_array().unwrap();
    let names: Vec<&str> = charts.iter().filter_map(|chart| chart["name"].as_str()).collect();
    assert_eq!(names, ["equity", "market"], "{name}");
    for chart in charts {
        assert!(8 < chart["colours"].as_u64().unwrap(), "{name}: {chart} is empty");
    }
}

fn formulas_are_shown_to_a_mouse(browser: &mut Browser, name: &str) {
    for (place, metric) in METRICS.iter().enumerate() {
        let of = |script: &str| {
            format!(
                "(() => {{ const button = document.querySelectorAll('.figure button')[{place}];
                    const tip = button.nextElementSibling; {script} }})()"
            )
        };
        let at = browser.run(&of(
            "button.scrollIntoView({ block: 'center' }); const box = button.getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2];",
        ));
        browser.point_at(at[0].as_f64().unwrap(), at[1].as_f64().unwrap());
        let shown = browser.run(&of(
            "const box = tip.getBoundingClientRect();
            const middle = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            return [getComputedStyle(tip).visibility, tip.textContent, box.left >= 0,
                box.right <= innerWidth, middle === tip];",
        ));
        let want = json!(["visible", metric.formula, true, true, true]);
        assert_eq!(shown, want, "{name}: {}", metric.key);
    }
    browser.point_at(1.0, 1.0);
    let left = browser.run("[...document.querySelectorAll('.tip')].filter((tip) => getComputedStyle(tip).visibility === 'visible').length");
    assert_eq!(left, 0, "{name}: a formula stays when the mouse is gone");
}

fn everything_is_reached_by_keys(browser: &mut Browser) {
    const FOCUS: &str = "(() => {
        const all = [...document.querySelectorAll('a[href], button, select, [tabindex=\"0\"]')].filter((node) => !node.closest('[hidden]'));
        const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
        return [all.indexOf(node), all.length, style.outlineStyle !== 'none' && style.outlineWidth !== '0px',
            box.bottom > 0 && box.top < innerHeight];
    })()";
    browser.run("scrollTo(0, 0); document.activeElement.blur();");
    let all = browser.run(FOCUS)[1].as_i64().unwrap();
    let mut reached = Vec::new();
    for _ in 0..all {
        browser.press("Tab", TAB);
        let focus = browser.run(FOCUS);
        assert_eq!(focus[2], true, "the focus on {} cannot be seen", focused(browser));
        assert_eq!(focus[3], true, "{} is not on the screen", focused(browser));
        reached.push(focus[0].as_i64().unwrap());
    }
    assert_eq!(reached, (0..all).collect::<Vec<_>>(), "not in the order of the page");
    browser.run("document.querySelector('.figure button').focus()");
    let tip = "getComputedStyle(document.querySelector('.figure .tip')).visibility";
    assert_eq!(browser.run(tip), "visible");
    browser.press("Escape", ESCAPE);
    assert_eq!(browser.run(tip), "hidden");
}

fn focused(browser: &mut Browser) -> Value {
    browser.run("document.activeElement.outerHTML.slice(0, 80)")
}

fn the_map_changes_with_its_choice(browser: &mut Browser) {
    let map = "document.querySelector('#heat table').textContent";
    let before = browser.run(map);
    browser.run(
        "(() => { const select = document.querySelectorAll('#heat select')[1]; select.value = '2';
        select.dispatchEvent(new Event('change')); })()",
    );
    assert_ne!(browser.run(map), before);
}

/// A sweep over a generated month with three parameters, and the run of its best settings.
fn report() -> Report {
    let symbol = Symbol::parse("BTC/USDT").unwrap();
    let instrument = instruments::known(InstrumentId::new(0), symbol).unwrap();
    let file = CandleFile {
        source: Source::Generated { seed: 11 },
        interval: Millis::from_secs(60),
        candles: generated(11, 40_000),
        gaps: Vec::new(),
    };
    let market =
        Market { instruments: Instruments::new(vec![instrument]).unwrap(), files: vec![file] };
    let study = study(&market);
    let scene = Scene::new(&study, &market).unwrap();
    let journal = Journaled::new();
    let mut journal = Journal::open(&journal.0, &study).unwrap();
    let (threads, stop) = (NonZeroUsize::new(2).unwrap(), AtomicBool::new(false));
    sweep::carry_out(&scene, &mut journal, threads, &stop, &mut |_| {}).unwrap();
    let judged = sweep::judge(&scene, journal.known(), 3);
    let config = study.config(&judged.ranked[0].point).unwrap();
    let detail = sweep::detail(&scene, &config, &scene.training).unwrap();
    assert!(5 < detail.deals.len(), "{}", detail.deals.len());
    let words = Words {
        title: "A ladder on a generated market".to_owned(),
        subtitle: "BTC/USDT, generated prices, 40,000 candles of a minute".to_owned(),
        notes: vec![
            "BTC/USDT: 12 candles of 1m are missing in 3 gaps; no price moved there".to_owned(),
        ],
        settings: vec![
            ("base_order_volume".to_owned(), "100".to_owned()),
            ("fees".to_owned(), "0.001 resting, 0.001 taking, from the quote asset".to_owned()),
        ],
        quote: "USDT".to_owned(),
    };
    Report::of_run(words, &market, &scene.training.marks, &detail).with_sweep(
        &scene,
        &judged,
        journal.known().values(),
    )
}

fn study(market: &Market) -> Study {
    let terms = plan("{}", Mode::Jump);
    let steps = |name: &str, from: i64, to: i64| {
        let hundredths = |value: i64| Decimal::new(value, 2);
        Parameter::steps(name, (hundredths(from), hundredths(to), hundredths(20)), false).unwrap()
    };
    let space = Space::new(vec![
        steps("take_profit_pct", 40, 100),
        steps("safety_order_step_pct", 40, 120),
        steps("volume_scale", 100, 160),
    ]);
    let span = market.span();
    let mut balances = terms.balances;
    balances[0].asset = market.instruments.iter().next().unwrap().symbol.quote;
    Study {
        version: Study::version(),
        bot: json!({
            "name": "a", "pairs": ["BTC/USDT"], "base_order_volume": "100", "max_safety_orders": 4,
            "safety_order_volume": "100", "safety_order_step_pct": "1", "take_profit_pct": "1"
        }),
        space: space.unwrap(),
        method: Method::Grid,
        tries: 1000,
        seed: 5,
        metric: "total_return".to_owned(),
        windows: Windows {
            from_ms: span.from.ms(),
            to_ms: span.to.ms(),
            holdout_pct: 30,
            walk_forward: 2,
        },
        data: vec!["generated".to_owned()],
        account: terms.account,
        balances,
        exchange: exchange::Settings::default(),
        path: exchange::Path::default(),
    }
}

struct Journaled(PathBuf);

impl Journaled {
    fn new() -> Self {
        let name = format!("page-{}.jsonl", std::process::id());
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Journaled {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

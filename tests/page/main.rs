//! The pages of reports in a real browser. Without Chromium there is nothing to test, unless
//! `FAULTLINE_BROWSER` says that there has to be one.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "these tests start the program and a browser, and wait for them"
)]

mod browser;
mod run;

use browser::Browser;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The seeds of the report that is looked at.
const SEEDS: &str = "0..24";

/// Makes a report in a folder of its own.
fn report() -> PathBuf {
    let folder = env::temp_dir().join(format!("faultline-page-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let ended = Command::new(env!("CARGO_BIN_EXE_faultline"))
        .args(["report", "acks", "--seeds", SEEDS, "--set", "records=400", "--out"])
        .arg(&folder)
        .output()
        .expect("the program starts");
    assert!(ended.status.success(), "{ended:?}");
    folder
}

/// Requests of the page to other addresses, and everything in its log and console.
fn complaints(browser: &Browser, own: &str) -> Vec<String> {
    let mut found = Vec::new();
    for event in &browser.events {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if url != own && !url.starts_with("data:") {
                    found.push(format!("it asks for {url}"));
                }
            }
            Some("Log.entryAdded") => found.push(format!("the log has {}", params["entry"])),
            Some("Runtime.consoleAPICalled") => found.push(format!("the console has {params}")),
            Some("Runtime.exceptionThrown") => found.push(format!("it throws {params}")),
            _ => {}
        }
    }
    found
}

#[test]
fn the_page_of_acks_in_a_browser() {
    let Some(chromium) = browser::find() else {
        eprintln!("not tested: there is no Chromium");
        return;
    };
    let folder = report();
    let json = fs::read_to_string(folder.join("report.json")).expect("the report has its numbers");
    let json: Value = serde_json::from_str(&json).expect("they are JSON");
    let mut browser = Browser::start(&chromium);
    let url = browser.open(&folder.join("index.html"));
    assert_eq!(browser.value("document.contentType"), "text/html");
    sentences(&mut browser, &json);
    charts(&mut browser, &folder);
    looks(&mut browser);
    paper(&mut browser);
    assert_eq!(complaints(&browser, &url), Vec::<String>::new());
    drop(browser);
    fs::remove_dir_all(folder).expect("the folder is ours");
}

/// Every setting has its sentence with the numbers of `report.json`.
fn sentences(browser: &mut Browser, json: &Value) {
    // Not the rendered text: without any font installed Chromium renders none.
    let text = browser.value("document.body.textContent.replace(/\\s+/g, ' ')");
    let text = text.as_str().expect("a page has text");
    let settings = json["settings"].as_array().expect("there are settings");
    assert_eq!(settings.len(), 7);
    for setting in settings {
        let (acks, min_isr) = (&setting["acks"], &setting["min.insync.replicas"]);
        let off = if setting["enable.idempotence"] == false { ", not idempotent" } else { "" };
        let label = format!("acks={}, min ISR {min_isr}{off}", acks.as_str().unwrap_or_default());
        let sentence = match setting["runs_with_loss"].as_u64() {
            Some(0) => format!("{label}: in {} runs with the same faults none of", setting["runs"]),
            _ => format!("{label}: in {} of {} runs", setting["runs_with_loss"], setting["runs"]),
        };
        assert!(text.contains(&sentence), "{sentence}\n{text}");
    }
}

/// Every chart is drawn, says what it shows, has its numbers in a table, and is a file as well.
fn charts(browser: &mut Browser, folder: &Path) {
    let ids = browser.value("[...document.querySelectorAll('figure')].map(f => f.id)");
    let ids: Vec<&str> = ids.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(ids.len() >= 5, "{ids:?}");
    for id in ids {
        let of = |what: &str| format!("document.querySelector('#{id} {what}')");
        let label = browser.value(&format!("{}.getAttribute('aria-label')", of("svg")));
        for words in [SEEDS, "Simulated latency"] {
            assert!(label.as_str().is_some_and(|label| label.contains(words)), "{id}: {label}");
        }
        let drawn = browser.value(&format!("{}.getBoundingClientRect().height", of("svg")));
        assert!(drawn.as_f64() > Some(100.0), "{id} is drawn {drawn} high");
        let rows = browser.value(&format!("{}.rows.length", of("details table")));
        assert!(rows.as_u64() > Some(2), "{id} has {rows} rows");
        for kind in ["svg", "png", "csv"] {
            assert!(folder.join(format!("{id}.{kind}")).is_file(), "{id}.{kind}");
        }
    }
}

/// On a phone nothing runs off the page, and on dark ground text is light.
fn looks(browser: &mut Browser) {
    let overflow = "document.scrollingElement.scrollWidth - innerWidth";
    let ground = "getComputedStyle(document.body).backgroundColor";
    let ink = "getComputedStyle(document.querySelector('figure svg text')).fill";
    browser.look(1_200, false);
    let light = (browser.value(ground), browser.value(ink));
    browser.look(360, true);
    let dark = (browser.value(ground), browser.value(ink));
    assert!(browser.value(overflow).as_f64() <= Some(0.0), "it is wider than a phone");
    // The whole table is seen without moving it, each number with its name.
    let cells = "[...document.querySelectorAll('.stack td')]";
    let seen = "every(td => td.getBoundingClientRect().right <= innerWidth && \
                td.scrollWidth <= td.clientWidth && \
                getComputedStyle(td, '::before').content.length > 2)";
    assert_eq!(browser.value(&format!("{cells}.{seen}")), true, "numbers are cut off");
    // A line breaks between its arguments.
    let lines = "[...document.querySelectorAll('pre code span')]";
    let whole = "every(span => span.getClientRects().length === 1)";
    assert_eq!(browser.value(&format!("{lines}.{whole}")), true, "an argument is broken");
    assert!(light.0 != dark.0 && light.1 != dark.1, "{light:?} and {dark:?}");
    let shown =
        |room: &str| format!("getComputedStyle(document.querySelector('figure .{room}')).display");
    assert_eq!(browser.value(&shown("wide")), "none");
    assert_eq!(browser.value(&shown("narrow")), "block");
}

/// On paper every table is there, within its card, and the names of settings are in one piece.
fn paper(browser: &mut Browser) {
    browser.print();
    let tables = "[...document.querySelectorAll('.card table, figure table')]";
    let edge = "t.closest('.card, figure').getBoundingClientRect().right";
    let within = format!(
        "{tables}.every(t => t.offsetHeight > 0 && t.getBoundingClientRect().right < {edge})"
    );
    assert_eq!(
        browser.value(&within),
        true,
        "a table is hidden, or lies on the border of its card"
    );
    let names = "[...document.querySelectorAll('figure td.name')]";
    let whole = "every(td => getComputedStyle(td).whiteSpace === 'nowrap')";
    assert!(browser.value(&format!("{names}.length")).as_u64() > Some(0));
    assert_eq!(browser.value(&format!("{names}.{whole}")), true, "the name of a setting is broken");
    let kept = "getComputedStyle(document.querySelector('.method li')).breakInside";
    assert_eq!(browser.value(kept), "avoid", "a line may be torn from what it is about");
}

//! The page of a run: it shows the events of the trace, and can be used by keyboard alone.

use crate::browser::{self, Browser};
use crate::complaints;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// The folder of a run, with its page.
fn made(name: &str, arguments: &[&str]) -> PathBuf {
    let folder = env::temp_dir().join(format!("faultline-run-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let ended = Command::new(env!("CARGO_BIN_EXE_faultline"))
        .arg("scenario")
        .args(arguments)
        .arg("--out")
        .arg(&folder)
        .output()
        .expect("the program starts");
    assert!(ended.status.code().is_some_and(|code| code < 2), "{ended:?}");
    folder.join("latest")
}

/// The page of a run in a browser, ready; the address ends in `fragment`.
fn opened(browser: &mut Browser, folder: &std::path::Path, fragment: &str) -> String {
    browser.open(&folder.join("repro.txt"));
    let url = browser.open_at(&folder.join("index.html"), fragment);
    browser.wait("document.documentElement?.dataset.ready === 'true'");
    url
}

const HASH: &str = "decodeURIComponent(location.hash)";

/// A reader gets from the verdict to the cause of the loss by links and keys alone.
#[test]
fn the_life_of_a_lost_record_is_found_by_keyboard() {
    let Some(chromium) = browser::find() else { return };
    let folder = made("lost", &["leader-crash", "--set", "acks=1", "--seed", "4"]);
    let mut browser = Browser::start(&chromium);
    let url = opened(&mut browser, &folder, "");
    let text = browser.value("document.body.textContent");
    assert!(text.as_str().is_some_and(|text| text.contains("PASS, with permitted losses")));
    // The first link to a record in the explanation.
    browser.value("document.querySelector('.finding a[href*=\"r=\"]').focus()");
    browser.press("Enter", "\r");
    browser.wait("document.querySelectorAll('.life li').length > 5");
    browser.wait("document.activeElement.id === 'record-title'");
    let steps = browser.value("[...document.querySelectorAll('.life li')].map(li => li.className)");
    let steps = steps.to_string();
    for step in ["sent", "message", "appended", "acknowledged", "confirmed", "cut"] {
        assert!(steps.contains(&format!("\"{step}\"")), "{step}: {steps}");
    }
    assert!(!steps.contains("copied") && !steps.contains("read_back"), "{steps}");
    let fate = browser.value("document.querySelector('.fate').textContent");
    let fate = fate.as_str().unwrap_or_default().to_owned();
    for words in ["acknowledged and is lost", "never had it", "leader of the next epoch", "cut it"]
    {
        assert!(fate.contains(words), "{words}: {fate}");
    }
    // Tab moves from the title into the life, whose first link is followed.
    browser.value("document.querySelector('.life .cut a').focus()");
    browser.press("Enter", "\r");
    browser.wait("document.activeElement.id === 'dock'");
    let dock = browser.value("document.getElementById('dock').textContent");
    assert!(dock.as_str().is_some_and(|it| it.contains("Because") && it.contains("cut orders-0")));
    let event = browser.value("document.querySelector('#dock h2').textContent");
    browser.press("c", "c");
    browser.wait(&format!("document.querySelector('#dock h2').textContent !== {event}"));
    browser.press("Escape", "");
    browser.wait("document.getElementById('dock').hidden");
    browser.wait("document.activeElement.closest('.life') !== null");
    assert_eq!(complaints(&browser, &url), Vec::<String>::new());
    drop(browser);
    remove(&folder);
}

fn remove(folder: &std::path::Path) {
    fs::remove_dir_all(folder.parent().expect("a parent")).expect("the folder is ours");
}

/// Steps, filters, search and deep links, by keys and by mouse; both themes, a narrow screen, and
/// printing.
#[test]
fn the_page_of_a_run_in_a_browser() {
    let Some(chromium) = browser::find() else { return };
    let folder = made("page", &["leader-crash", "--set", "acks=1", "--seed", "4"]);
    let mut browser = Browser::start(&chromium);
    let url = opened(&mut browser, &folder, "");
    keys(&mut browser);
    filters(&mut browser);
    search(&mut browser);
    looks(&mut browser);
    assert_eq!(complaints(&browser, &url), Vec::<String>::new());
    // A link leads to the same view.
    let link = "#p=orders-1&e=30004&r=3.739&t=1.000000..1.500000";
    opened(&mut browser, &folder, link);
    browser.wait("document.getElementById('partition').value === 'orders-1'");
    browser.wait("document.getElementById('dock').textContent.includes('Event 30004')");
    browser.wait("document.getElementById('record-title').textContent.includes('3#739')");
    assert_eq!(browser.value(HASH), link);
    drop(browser);
    remove(&folder);
}

fn keys(browser: &mut Browser) {
    browser.press("f", "f");
    browser.wait("!document.getElementById('dock').hidden");
    let first = browser.value(HASH);
    browser.press("j", "j");
    browser.wait(&format!("{HASH} !== {first}"));
    let whole = browser.value(HASH).to_string();
    assert!(!whole.contains("t="), "{whole}");
    browser.press("+", "+");
    browser.wait(&format!("{HASH}.includes('t=')"));
    browser.press("0", "0");
    browser.wait(&format!("!{HASH}.includes('t=')"));
    browser.press("p", "p");
    browser.wait("document.getElementById('partition').value === 'orders-1'");
    browser.press("P", "P");
    browser.wait("document.getElementById('partition').value === 'orders-0'");
    browser.press("?", "?");
    browser.wait("document.getElementById('help').open");
    browser.press("Escape", "");
    browser.wait("!document.getElementById('help').open");
    browser.press("Escape", "");
    browser.wait("document.getElementById('dock').hidden");
}

/// The table contains the messages that pass the filters.
fn filters(browser: &mut Browser) {
    let rows = "document.querySelectorAll('#space-table tbody tr').length";
    browser.value("document.querySelector('#space .panel > details').open = true");
    browser.wait(&format!("{rows} > 200"));
    let choose = |id: &str, value: &str| {
        format!(
            "(s => {{ s.value = '{value}'; s.dispatchEvent(new Event('change')) }})(document.getElementById('{id}'))"
        )
    };
    browser.value(&choose("api", "Vote"));
    browser.wait(&format!("{rows} > 0 && {rows} < 100"));
    let all = "[...document.querySelectorAll('#space-table tbody tr')]";
    let only = format!("{all}.every(row => row.textContent.includes('Vote'))");
    assert_eq!(browser.value(&only), true);
    browser.value(&choose("api", ""));
    browser.value(&choose("only", "unusual"));
    browser.wait(&format!("{all}.every(row => /never|late|twice/.test(row.textContent))"));
    browser.value(&choose("only", ""));
    // A hidden lane has no messages.
    let lane = "document.querySelector('.lanes input')";
    browser.value("document.querySelector('.lanes').open = true");
    browser.click(lane);
    browser.wait(&format!(
        "{rows} > 0 && {all}.every(row => !row.textContent.includes('controller 101'))"
    ));
    browser.click(lane);
    // The next steps click below the table, which must not grow then.
    browser.wait(&format!("{all}.some(row => row.textContent.includes('controller 101'))"));
    browser.value("document.querySelector('#space .panel > details').open = false");
}

fn search(browser: &mut Browser) {
    browser.value("document.activeElement.blur()");
    browser.press("/", "/");
    browser.wait("document.activeElement.id === 'query'");
    browser.type_in("cut orders-0 ends at");
    browser.press("Enter", "\r");
    browser.wait("document.querySelectorAll('.found li').length === 1");
    browser.click("document.querySelector('.found a')");
    browser.wait("document.getElementById('dock').textContent.includes('cut orders-0')");
    // A search for the number finds the event as well.
    let id = browser.value("/\\d+/.exec(document.querySelector('#dock h2').textContent)[0]");
    browser.value("document.getElementById('query').value = ''");
    browser.value("document.getElementById('query').focus()");
    browser.type_in(id.as_str().expect("a number"));
    browser.click("document.querySelector('#search form button')");
    browser.wait(&format!("{HASH}.includes('e={}')", id.as_str().unwrap_or_default()));
}

/// The pictures are drawn in both themes; a narrow screen needs no horizontal scrolling; tables are
/// printed.
fn looks(browser: &mut Browser) {
    let drawn = |id: &str| {
        format!(
            "(c => {{ const o = document.createElement('canvas'); [o.width, o.height] = [c.width, c.height]; \
             const x = o.getContext('2d', {{willReadFrequently: true}}); x.drawImage(c, 0, 0); \
             const d = x.getImageData(0, 0, o.width, o.height).data; \
             const seen = new Set(); for (let i = 0; i < d.length; i += 4) if (d[i + 3]) \
             seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return seen.size }})(document.getElementById('{id}'))"
        )
    };
    for (width, dark) in [(1_300, false), (1_300, true), (360, true), (360, false)] {
        browser.look(width, dark);
        browser
            .value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
        for id in ["strip-canvas", "space-canvas"] {
            browser.wait(&format!("{} > 8", drawn(id)));
        }
        let overflow = "document.scrollingElement.scrollWidth - innerWidth";
        let over = browser.value(overflow);
        assert!(over.as_f64() <= Some(0.0), "{over} pixels beyond {width}");
    }
    browser.print();
    assert_eq!(browser.value("getComputedStyle(document.querySelector('.tools')).display"), "none");
    let height = browser.value("document.getElementById('strip-canvas').offsetHeight");
    assert!(height.as_f64() > Some(100.0));
}

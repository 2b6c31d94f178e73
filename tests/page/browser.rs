//! Chromium without a window, controlled by its DevTools protocol.
//! <https://chromedevtools.github.io/devtools-protocol/>

use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use tungstenite::{Message, WebSocket};

/// The time-out of every wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// The paths at which Chromium may be installed.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    profile: PathBuf,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    sent: u64,
    /// The events that it sent, in order.
    pub(crate) events: Vec<Value>,
}

/// The path of Chromium, if it is installed.
///
/// # Panics
///
/// If it is not installed although `FAULTLINE_BROWSER` requires it.
pub(crate) fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    let found = places.into_iter().find(|place| place.is_file());
    let wanted = env::var_os("FAULTLINE_BROWSER").is_some_and(|value| !value.is_empty());
    assert!(found.is_some() || !wanted, "FAULTLINE_BROWSER is set, but Chromium is not installed");
    found
}

impl Browser {
    /// Starts the browser.
    pub(crate) fn start(program: &Path) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("faultline-browser-{}-{number}", std::process::id());
        let profile = env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&profile);
        let child = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--hide-scrollbars"])
            .args(["--disable-component-update", "--disable-sync", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium starts");
        let (port, path) = address(&profile);
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("Chromium listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tungstenite::client(url, stream).expect("it speaks WebSocket");
        let mut browser =
            Self { child, profile, socket, session: None, sent: 0, events: Vec::new() };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method and returns its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let id = self.sent;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).expect("Chromium is there");
        loop {
            let answer = self.receive();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("Chromium answers") {
                return serde_json::from_str(&text).expect("the response is JSON");
            }
        }
    }

    /// Opens a file and waits until it is loaded.
    pub(crate) fn open(&mut self, file: &Path) -> String {
        self.open_at(file, "")
    }

    /// Opens a file at a fragment. Another file has to be open before; otherwise the file is not
    /// loaded again.
    pub(crate) fn open_at(&mut self, file: &Path, fragment: &str) -> String {
        self.events.clear();
        let url = format!("file://{}{fragment}", file.display());
        self.call("Page.navigate", json!({"url": url}));
        let begin = Instant::now();
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            assert!(begin.elapsed() < PATIENCE, "{url} does not load");
            let event = self.receive();
            self.events.push(event);
        }
        url
    }

    /// The value of a JavaScript expression.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer:#}");
        answer["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) fn wait(&mut self, expression: &str) {
        let begin = Instant::now();
        while self.value(expression) != true {
            assert!(begin.elapsed() < PATIENCE, "never true: {expression}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses and releases a key; `text` is what it types, if anything.
    pub(crate) fn press(&mut self, key: &str, text: &str) {
        let mut down = json!({"type": "keyDown", "key": key});
        if !text.is_empty() {
            down["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", down);
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key}));
    }

    /// Types a text into the focused field.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Clicks in the middle of the element that an expression returns, once the element no longer
    /// moves.
    pub(crate) fn click(&mut self, element: &str) {
        let scroll = format!("{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})");
        let place = format!(
            "(e => {{ const r = e.getBoundingClientRect(); \
             const [x, y] = [r.left + r.width / 2, r.top + r.height / 2]; \
             return e.contains(document.elementFromPoint(x, y)) ? [x, y] : null }})({element})"
        );
        let (begin, mut at) = (Instant::now(), Value::Null);
        loop {
            self.value(&scroll);
            let before = std::mem::replace(&mut at, self.value(&place));
            if !at.is_null() && at == before {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{element} does not come to rest");
            thread::sleep(Duration::from_millis(100));
        }
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Sets the window's size, and the dark or light theme.
    pub(crate) fn look(&mut self, width: u32, dark: bool) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": "", "features": feature}));
    }

    /// Sets the size of a sheet of A4 within its margins.
    pub(crate) fn print(&mut self) {
        self.look(680, false);
        self.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The address at which Chromium listens, which it writes into its profile.
fn address(profile: &Path) -> (u16, String) {
    let begin = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(profile.join("DevToolsActivePort"))
            && let Some((port, path)) = text.split_once('\n')
            && let Ok(port) = port.parse()
            && !path.is_empty()
        {
            return (port, path.trim().to_owned());
        }
        assert!(begin.elapsed() < PATIENCE, "Chromium does not listen");
        thread::sleep(Duration::from_millis(50));
    }
}

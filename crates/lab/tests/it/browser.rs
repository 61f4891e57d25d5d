//! A real browser without a network, driven through its own pipe: messages are JSON, each ends with a
//! zero byte.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// Nothing here takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(1);
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Its pipes are the descriptors 3 and 4: here they are what a program reads and says.
const PLUMBED: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// One browser with one page, which ends with this value.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// What it told without being asked.
    events: Vec<Value>,
    session: Option<String>,
    last_id: u64,
    folder: PathBuf,
}

/// What the page is shown on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
    pub(crate) is_phone: bool,
}

impl Browser {
    /// `None` when no browser is installed.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let program = PROGRAMS.into_iter().find(|program| {
            let mut asked = Command::new(program);
            asked.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            asked.status().is_ok_and(|status| status.success())
        })?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("browser-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", PLUMBED, program])
            .args("--headless=new --remote-debugging-pipe --no-sandbox --disable-gpu".split(' '))
            .args("--disable-dev-shm-usage --no-first-run --hide-scrollbars".split(' '))
            .args(["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, messages) = mpsc::sync_channel(10_000);
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut message = Vec::new();
                match output.read_until(0, &mut message) {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
                message.pop();
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (events, session) = (Vec::new(), None);
        let mut browser = Self { child, input, messages, events, session, last_id: 0, folder };
        browser.attach();
        Some(browser)
    }

    fn attach(&mut self) {
        let page = self.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": page["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", &target);
        self.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
        let off = json!({ "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0 });
        self.call("Network.emulateNetworkConditions", &off);
    }

    /// Calls a method of the browser's protocol.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.input.write_all(&bytes).unwrap();
        loop {
            let mut answer = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!("the browser does not answer {method}: {error}");
            });
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// Shows a file and waits until its script is through and the screen is painted.
    pub(crate) fn show(&mut self, file: &Path, screen: Screen) {
        let Screen { width, height, is_dark, is_phone } = screen;
        let scale = if is_phone { 2 } else { 1 };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_phone });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
        let before = self.events.len();
        self.call("Page.navigate", &json!({ "url": format!("file://{}", file.display()) }));
        while !self.events[before..].iter().any(|it| it["method"] == "Page.loadEventFired") {
            let event = self.messages.recv_timeout(PATIENCE).expect("the page is not loaded");
            self.events.push(event);
        }
        let painted = self.run(
            "(async () => {
                for (let frames = 0; frames < 3; frames++) {
                    await new Promise((resolve) => requestAnimationFrame(resolve));
                }
                return document.documentElement.dataset.drawn;
            })()",
        );
        assert_eq!(painted, "yes", "the page does not draw itself: {:?}", self.complaints());
    }

    /// The value of an expression, or of what it promises.
    pub(crate) fn run(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", &params);
        assert!(result["exceptionDetails"].is_null(), "{}", result["exceptionDetails"]);
        result["result"]["value"].take()
    }

    pub(crate) fn point_at(&mut self, x: f64, y: f64) {
        let params = json!({ "type": "mouseMoved", "x": x, "y": y });
        self.call("Input.dispatchMouseEvent", &params);
    }

    pub(crate) fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let params =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", &params);
        }
    }

    /// Errors and warnings of scripts, the security policy and the network.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let is_complaint = |event: &&Value| {
            let level = match event["method"].as_str() {
                Some("Runtime.exceptionThrown" | "Network.loadingFailed") => return true,
                Some("Runtime.consoleAPICalled") => &event["params"]["type"],
                Some("Log.entryAdded") => &event["params"]["entry"]["level"],
                Some(_) | None => return false,
            };
            matches!(level.as_str(), Some("error" | "warning" | "assert"))
        };
        self.events.iter().filter(is_complaint).map(Value::to_string).collect()
    }

    /// Everything that was asked for, files and data in the page among it.
    pub(crate) fn requests(&self) -> Vec<String> {
        let asked = self.events.iter().filter(|it| it["method"] == "Network.requestWillBeSent");
        asked.filter_map(|it| it["params"]["request"]["url"].as_str()).map(str::to_owned).collect()
    }

    /// Writes a picture of the whole page as the browser shows it, for people.
    pub(crate) fn photograph(&mut self, path: &Path) {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.call("Page.captureScreenshot", &params);
        let mut command = Command::new("base64");
        command.arg("-d").stdin(Stdio::piped()).stdout(fs::File::create(path).unwrap());
        let Ok(mut decoder) = command.spawn() else { return };
        let text = picture["data"].as_str().unwrap_or_default();
        decoder.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        decoder.wait().unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A clean end takes its own processes along, which still write to its folder.
        let bye = b"{\"id\":0,\"method\":\"Browser.close\"}\0";
        let is_asked = self.input.write_all(bye).is_ok();
        while is_asked && self.messages.recv_timeout(PATIENCE).is_ok() {}
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

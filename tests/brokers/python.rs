//! Software in Python at the other end: what a broker's client does there under OpenTelemetry's own
//! instrumentation, told in lines of JSON by a script in `interop/`.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;
use throughline_test_brokers::{Test, trial};

/// How long a script may take for what is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// The tests `{module}::{name}`, which need Python with the packages that `interop/{module}.txt` lists,
/// and whatever else the caller found `missing`.
pub(crate) fn trials(module: &str, missing: Option<String>, tests: &[Test<Python>]) -> Vec<Trial> {
    let python = match missing {
        Some(missing) => Err(missing),
        None => Python::with_packages_of(module),
    };
    let trial = |(name, test): &Test<Python>| {
        let (test, missing, python) = (*test, python.clone().err(), python.clone());
        trial(format!("{module}::{name}"), missing, move || {
            test(&python.expect("nothing is missing"));
        })
    };
    tests.iter().map(trial).collect()
}

/// Python in an environment of its own.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    interpreter: PathBuf,
}

impl Python {
    /// Makes the environment, once for each list of packages: it is kept below the target folder.
    fn with_packages_of(module: &str) -> Result<Self, String> {
        let listed = interop().join(format!("{module}.txt"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{module}"));
        let interpreter = folder.join("bin").join("python3");
        let installed = folder.join("installed.txt");

        // Where each test is a process of its own, several come here at once.
        let lock = File::create(folder.with_extension("lock")).map_err(|it| it.to_string())?;
        lock.lock().map_err(|it| it.to_string())?;
        let wanted = fs::read(&listed).map_err(|it| format!("{}: {it}", listed.display()))?;
        if fs::read(&installed).is_ok_and(|it| it == wanted) {
            return Ok(Self { interpreter });
        }
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1"];
        succeed(Command::new(&interpreter).args(pip).arg("--requirement").arg(&listed))?;
        fs::write(&installed, wanted).map_err(|it| it.to_string())?;
        Ok(Self { interpreter })
    }

    /// Where a package's files are.
    #[cfg(feature = "orders")]
    pub(crate) fn folder_of(&self, package: &str) -> PathBuf {
        let find = format!(
            "import importlib.util, os; print(os.path.dirname(importlib.util.find_spec('{package}').origin))"
        );
        let found = Command::new(&self.interpreter).args(["-c", &find]).output();
        let found = found.expect("Python is there").stdout;
        PathBuf::from(String::from_utf8_lossy(&found).trim())
    }

    /// Starts the script `interop/{script}`.
    pub(crate) fn start(&self, script: &str, arguments: &[&str]) -> Script {
        let mut process = Command::new(&self.interpreter)
            .arg(interop().join(script))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is there");
        let lines = in_background(process.stdout.take().expect("it is piped"));
        Script { process, lines, put_by: VecDeque::new() }
    }
}

/// A script that runs. It is killed where its test ends before it.
#[derive(Debug)]
pub(crate) struct Script {
    process: Child,
    lines: Receiver<String>,
    put_by: VecDeque<Value>,
}

impl Script {
    /// Waits until the script tells `{"what": ..}`, and answers what stands there; lines of other
    /// kinds are put by.
    pub(crate) fn told(&mut self, what: &str) -> Value {
        let is_about = |line: &Value| line.get(what).is_some();
        if let Some(at) = self.put_by.iter().position(is_about) {
            return self.put_by.remove(at).map(|mut line| line[what].take()).expect("it is there");
        }
        let until = Instant::now() + PATIENCE;
        while let Some(mut line) = self.next_line(until) {
            if is_about(&line) {
                return line[what].take();
            }
            self.put_by.push_back(line);
        }
        panic!("the script has ended and never told `{what}`");
    }

    /// Waits until the script tells that the span `name` has ended, and answers its facts.
    pub(crate) fn span(&mut self, name: &str) -> Value {
        loop {
            let span = self.told("span");
            if span["name"] == name {
                return span;
            }
        }
    }

    /// Waits until the script has ended, which it must have done well.
    pub(crate) fn finish(mut self) {
        let until = Instant::now() + PATIENCE;
        while self.next_line(until).is_some() {}
        let ended = self.process.wait().expect("it was started here");
        assert!(ended.success(), "the script failed: {ended}");
    }

    /// The next line; none where the script has ended.
    fn next_line(&self, until: Instant) -> Option<Value> {
        let line = match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("the script tells nothing any more"),
        };
        Some(serde_json::from_str(&line).unwrap_or_else(|it| panic!("{it}: {line}")))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Where it has ended there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

/// Runs a command to its end; if it can't be run or fails, the last that it said is the reason.
fn succeed(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|it| format!("no {name}: {it}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    let last = said.iter().flat_map(|it| it.lines()).rfind(|it| !it.trim().is_empty());
    Err(format!("{name} failed: {}", last.unwrap_or("it said nothing")))
}

/// The lines as they come, for a reader that does not wait for ever.
fn in_background(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut read = BufReader::new(stdout).lines().map_while(Result::ok);
        while read.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    lines
}

//! Processes that a test starts, follows by what they print, and stops.

use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::PATIENCE;

/// A process that tells what it does: it is killed where its test ends before it.
pub(crate) struct Process {
    child: Child,
    lines: UnboundedReceiver<String>,
    said: Vec<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .expect("it can be started");
        let (sender, lines) = unbounded_channel();
        send_lines(child.stdout.take().expect("it is piped"), sender.clone());
        send_lines(child.stderr.take().expect("it is piped"), sender);
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until so many lines with `words` in them have come from now on, and gives the last.
    pub(crate) async fn until_said(&mut self, words: &str, times: usize) -> String {
        let mut left = times;
        while let Ok(Some(line)) = timeout(PATIENCE, self.lines.recv()).await {
            left -= usize::from(line.contains(words));
            self.said.push(line.clone());
            if left == 0 {
                return line;
            }
        }
        panic!("it did not say `{words}` {times} times, but:\n{}", self.said.join("\n"));
    }

    /// As if its machine were gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Tells it to stop, which it must do well.
    pub(crate) async fn stop(mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.is_ok_and(|it| it.success()), "it can't be told");
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("in time");
        while let Some(line) = self.lines.recv().await {
            self.said.push(line);
        }
        assert!(ended.is_ok_and(|it| it.success()), "it failed:\n{}", self.said.join("\n"));
    }
}

fn send_lines(output: impl AsyncRead + Send + Unpin + 'static, sender: UnboundedSender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = sender.send(line);
        }
    });
}

//! The service, as a process of its own, and the one that it calls.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::http::{self, Head};

pub(crate) struct Service {
    process: Child,
    address: String,
    called: Called,
}

impl Service {
    pub(crate) fn start(mode: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline-test-w3c-service"));
        let mut process = command.arg(mode).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut url = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut url).expect("its address");
        let address = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        Self { process, address: address.to_owned(), called: Called::start() }
    }

    /// What the service sends in each of its calls when it is sent these headers.
    pub(crate) fn calls(&self, headers: &str, count: usize) -> Vec<Head> {
        let call = format!(r#"{{"url": "http://{}/", "arguments": []}}"#, self.called.address);
        let calls = format!("[{}]", vec![call; count].join(","));
        let headers = format!("host: service\ncontent-type: application/json\n{headers}");
        let mut stream = TcpStream::connect(&self.address).expect("the service listens");
        http::write(&mut stream, "POST /test HTTP/1.1", &headers, &calls);
        let answer = http::read(&stream).expect("an answer");
        assert_eq!(answer.first_line, "HTTP/1.1 200 OK");
        // It answers when its calls are done.
        let sent: Vec<_> = self.called.heads.try_iter().collect();
        assert_eq!(sent.len(), count);
        sent
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }
}

/// Takes note of each call before it answers.
struct Called {
    address: SocketAddr,
    heads: Receiver<Head>,
}

impl Called {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, heads) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let head = http::read(&stream).expect("a call");
                if sender.send(head).is_err() {
                    break;
                }
                http::write(&mut stream, "HTTP/1.1 200 OK", "", "");
            }
        });
        Self { address, heads }
    }
}

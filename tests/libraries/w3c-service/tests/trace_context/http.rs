//! HTTP as it is on the wire, so that a header can be there twice, and in any casing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What stands before the body of a request or an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) first_line: String,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        let of_name =
            self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }
}

/// Writes one message, and nothing after it. The headers are lines.
pub(crate) fn write(stream: &mut TcpStream, first_line: &str, headers: &str, body: &str) {
    let length = body.len();
    let lines = headers.lines().filter(|line| !line.is_empty());
    let headers: String = lines.flat_map(|line| [line, "\r\n"]).collect();
    let message = format!(
        "{first_line}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(message.as_bytes()).expect("the other end reads");
}

/// Reads one message to its end.
pub(crate) fn read(stream: &TcpStream) -> io::Result<Head> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let first_line = lines.next().ok_or(io::ErrorKind::UnexpectedEof)?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    });
    let head = Head { first_line, headers: headers.collect() };
    let length = head.values("content-length").next().and_then(|it| it.parse().ok());
    reader.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    Ok(head)
}

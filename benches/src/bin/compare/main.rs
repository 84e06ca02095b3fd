//! Times throughline beside what a user would write by hand, in one run: `compare [--chart FILE]`.

mod chart;
mod figure;
mod threads;
mod timing;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use figure::{Figure, Threads};
use throughline_benches::messages::Messages;
use throughline_benches::set_up::SetUp;
use throughline_benches::ways::{lengths, rows};

fn main() {
    // Only what is this process's own, which the process that started it makes tables of.
    if let Some(set_up) = SetUp::of_this_process() {
        return measure(set_up);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let chart = match &arguments[..] {
        [] => None,
        [option, file] if option == "--chart" => Some(Path::new(file)),
        _ => {
            eprintln!("usage: compare [--chart FILE]");
            std::process::exit(2);
        }
    };
    let figures = report();
    if let Some(file) = chart {
        chart::draw(file, &figures).expect("the chart can be written");
    }
}

/// Prints every figure of one set-up, a line each.
fn measure(set_up: &SetUp) {
    set_up.install();
    let messages = Messages::new(set_up.sampled);
    let rows = rows(set_up, &messages);
    for row in rows.iter().chain(&lengths(set_up, &messages)) {
        timing::figures(set_up.name, row).iter().for_each(|figure| println!("{figure}"));
    }
    for row in rows.iter().filter(|row| ["link", "continue"].contains(&&*row.name)) {
        threads::figures(set_up.name, row).iter().for_each(|figure| println!("{figure}"));
    }
}

/// Prints the tables; the first as it comes, since it takes minutes.
fn report() -> Vec<Figure> {
    println!("| set-up | row | way | ns per message | ratio to the first | quartiles |");
    println!("|---|---|---|---|---|---|");
    let mut figures = Vec::new();
    for set_up in SetUp::COMPARED {
        let mut process = set_up.process().stdout(Stdio::piped()).spawn().expect("it can be run");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        for line in lines {
            let figure: Figure = line.expect("text").parse().expect("a figure");
            if figure.threads == Threads::One {
                let nanoseconds = figure.nanoseconds;
                println!("{}", figure.table_line(&format!("{nanoseconds:.0} | ")));
            }
            figures.push(figure);
        }
        let status = process.wait().expect("it was started");
        assert!(status.success(), "{}", set_up.name);
    }

    println!("\n| set-up | row | way | work of two threads, as a multiple of one's | quartiles |");
    println!("|---|---|---|---|---|");
    for figure in figures.iter().filter(|figure| figure.threads == Threads::Two) {
        println!("{}", figure.table_line(""));
    }
    figures
}

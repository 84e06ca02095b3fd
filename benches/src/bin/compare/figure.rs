//! What was measured of one way, as one process tells it another: a line, with tabs between.

use std::fmt;
use std::str::FromStr;

pub struct Figure {
    pub threads: Threads,
    pub set_up: String,
    pub row: String,
    pub way: String,
    /// Of one message, on one thread.
    pub nanoseconds: f64,
    /// On one thread, the time beside that of the row's first way; on two, their work beside that of one.
    pub ratio: Quartiles,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    One,
    Two,
}

pub struct Quartiles {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Figure {
    /// A line of a Markdown table, with more cells before the ratio.
    pub fn table_line(&self, more_cells: &str) -> String {
        let Self { set_up, row, way, ratio: Quartiles { low, median, high }, .. } = self;
        format!("| {set_up} | {row} | {way} | {more_cells}{median:.2} | {low:.2} to {high:.2} |")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.threads as u8 + 1;
        let Self { set_up, row, way, nanoseconds, ratio: Quartiles { low, median, high }, .. } =
            self;
        write!(
            f,
            "{threads}\t{set_up}\t{row}\t{way}\t{nanoseconds:.1}\t{low:.3}\t{median:.3}\t{high:.3}"
        )
    }
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = line.split('\t').collect();
        let [threads, set_up, row, way, numbers @ ..] = &parts[..] else {
            return Err(line.to_owned());
        };
        let numbers: Result<Vec<f64>, _> = numbers.iter().map(|number| number.parse()).collect();
        let Ok([nanoseconds, low, median, high]) = numbers.as_deref() else {
            return Err(line.to_owned());
        };
        Ok(Self {
            threads: if *threads == "1" { Threads::One } else { Threads::Two },
            set_up: (*set_up).to_owned(),
            row: (*row).to_owned(),
            way: (*way).to_owned(),
            nanoseconds: *nanoseconds,
            ratio: Quartiles { low: *low, median: *median, high: *high },
        })
    }
}

impl Quartiles {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let [low, median, high] = [1, 2, 3].map(|quarter| values[values.len() * quarter / 4]);
        Self { low, median, high }
    }
}

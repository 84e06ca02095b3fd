//! The ratios as a picture: a panel for each set-up, in it a bar for throughline in each row, and a mark for
//! what else was timed.

use std::error::Error;
use std::path::Path;

use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;
use throughline_benches::set_up::SetUp;
use throughline_benches::ways::{BY_HAND, FASTRACE, THROUGHLINE};

use crate::figure::{Figure, Threads};

const PANEL: (u32, u32) = (600, 330);
const COLUMNS: usize = 2;
/// Room for the legend beside the bars.
const AXIS_END: f64 = 2.4;
const BAR: RGBColor = RGBColor(86, 140, 200);

/// What stands beside throughline and what is written by hand.
const MARKS: [(&str, RGBColor); 5] = [
    (FASTRACE, RGBColor(200, 60, 60)),
    ("floor", RGBColor(60, 140, 60)),
    ("instrument", RGBColor(210, 140, 30)),
    ("pass-through", RGBColor(130, 80, 170)),
    ("bare", RGBColor(110, 110, 110)),
];

pub fn draw(file: &Path, figures: &[Figure]) -> Result<(), Box<dyn Error>> {
    let rows = SetUp::COMPARED.len().div_ceil(COLUMNS);
    let size = (PANEL.0 * COLUMNS as u32, PANEL.1 * rows as u32);
    let area = SVGBackend::new(file, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, set_up) in area.split_evenly((rows, COLUMNS)).iter().zip(SetUp::COMPARED) {
        let own = |it: &&Figure| it.set_up == set_up.name && it.threads == Threads::One;
        draw_panel(panel, set_up.name, &figures.iter().filter(own).collect::<Vec<_>>())?;
    }
    area.present()?;
    Ok(())
}

fn draw_panel(
    panel: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    set_up: &str,
    figures: &[&Figure],
) -> Result<(), Box<dyn Error>> {
    let of = |way: &str| figures.iter().filter(move |it| it.way == way).collect::<Vec<_>>();
    let by_hand = of(BY_HAND);
    // From the top down, though the axis goes up.
    let rows: Vec<&str> = by_hand.iter().rev().map(|it| it.row.as_str()).collect();
    let place = |figure: &Figure| rows.iter().position(|row| *row == figure.row);
    let placed = |way: &str| of(way).into_iter().filter_map(move |it| Some((place(it)?, it)));

    let mut chart = ChartBuilder::on(panel)
        .caption(set_up, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(130)
        .build_cartesian_2d(0.0..AXIS_END, (0..rows.len() - 1).into_segmented())?;
    let name = |at: &SegmentValue<usize>| match at {
        SegmentValue::CenterOf(at) => rows[*at].to_owned(),
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(WHITE)
        .y_labels(rows.len())
        .y_label_formatter(&name)
        .x_label_formatter(&|ratio| format!("{ratio:.1}"))
        .x_desc("time, by hand = 1")
        .draw()?;

    let ours = || placed(THROUGHLINE);
    chart
        .draw_series(ours().map(|(at, figure)| {
            let corners = [
                (0.0, SegmentValue::Exact(at)),
                (figure.ratio.median, SegmentValue::Exact(at + 1)),
            ];
            let mut bar = Rectangle::new(corners, BAR.filled());
            bar.set_margin(4, 4, 0, 0);
            bar
        }))?
        .label(THROUGHLINE)
        .legend(|(x, y)| Rectangle::new([(x, y - 4), (x + 8, y + 4)], BAR.filled()));
    chart.draw_series(ours().map(|(at, Figure { ratio, .. })| {
        let at = SegmentValue::CenterOf(at);
        PathElement::new([(ratio.low, at.clone()), (ratio.high, at)], BLACK)
    }))?;
    for (way, colour) in MARKS {
        let mut marks = placed(way).peekable();
        if marks.peek().is_none() {
            continue;
        }
        chart
            .draw_series(marks.map(|(at, figure)| {
                Circle::new((figure.ratio.median, SegmentValue::CenterOf(at)), 4, colour.filled())
            }))?
            .label(way)
            .legend(move |(x, y)| Circle::new((x + 4, y), 4, colour.filled()));
    }
    let ends = [SegmentValue::Exact(0), SegmentValue::Last];
    chart.draw_series([PathElement::new(ends.map(|end| (1.0, end)), BLACK)])?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

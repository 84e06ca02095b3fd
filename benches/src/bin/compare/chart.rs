//! The ratios as a picture: a panel for each set-up, in it a bar for throughline in each row, and a mark for
//! what else was timed.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{SegmentValue, SegmentedCoord};
use plotters::coord::types::{RangedCoordf64, RangedCoordusize};
use plotters::prelude::*;
use throughline_benches::set_up::SetUp;
use throughline_benches::ways::{
    BY_HAND, FASTRACE, FEWEST_CALLS, FEWEST_CALLS_WITH_A_TRACER, THROUGHLINE,
};

use crate::figure::{Figure, Quartiles, Threads};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Rows = SegmentedCoord<RangedCoordusize>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Rows>>;
type Drawn = Result<(), Box<dyn Error>>;

const PANEL: (u32, u32) = (600, 350);
const COLUMNS: usize = 2;
/// Room for the legend beside the bars.
const AXIS_END: f64 = 2.4;
const BAR: RGBColor = RGBColor(86, 140, 200);

/// What stands beside throughline and what is written by hand.
const MARKS: [(&str, RGBColor); 7] = [
    (FASTRACE, RGBColor(200, 60, 60)),
    (FEWEST_CALLS, RGBColor(20, 30, 60)),
    (FEWEST_CALLS_WITH_A_TRACER, RGBColor(20, 30, 60)),
    ("floor", RGBColor(60, 140, 60)),
    ("instrument", RGBColor(210, 140, 30)),
    ("pass-through", RGBColor(130, 80, 170)),
    ("bare", RGBColor(110, 110, 110)),
];

pub fn draw(file: &Path, figures: &[Figure]) -> Drawn {
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

fn draw_panel(panel: &Area<'_>, set_up: &str, figures: &[&Figure]) -> Drawn {
    let of = |way| figures.iter().filter(move |it| it.way == way);
    // From the top down, though the axis goes up.
    let rows: Vec<&str> = of(BY_HAND).rev().map(|it| it.row.as_str()).collect();
    let row_of = |figure: &Figure| rows.iter().position(|row| *row == figure.row);
    let placed = |way| of(way).filter_map(|it| Some((row_of(it)?, &it.ratio))).collect::<Vec<_>>();

    let mut chart = ChartBuilder::on(panel)
        .caption(set_up, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(130)
        .build_cartesian_2d(0.0..AXIS_END, (0..rows.len() - 1).into_segmented())?;
    draw_axes(&mut chart, &rows)?;
    draw_bars(&mut chart, &placed(THROUGHLINE))?;
    for (way, colour) in MARKS {
        draw_marks(&mut chart, way, colour, &placed(way))?;
    }
    draw_by_hand(&mut chart)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

fn draw_axes(chart: &mut Chart<'_, '_>, rows: &[&str]) -> Drawn {
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
    Ok(())
}

/// A bar in each row as long as the median, and a line between the quartiles.
fn draw_bars(chart: &mut Chart<'_, '_>, placed: &[(usize, &Quartiles)]) -> Drawn {
    let bar = |&(row, ratio): &(usize, &Quartiles)| {
        let from = (0.0, SegmentValue::Exact(row));
        let to = (ratio.median, SegmentValue::Exact(row + 1));
        let mut bar = Rectangle::new([from, to], BAR.filled());
        bar.set_margin(4, 4, 0, 0);
        bar
    };
    let spread = |&(row, ratio): &(usize, &Quartiles)| {
        let ends = [ratio.low, ratio.high].map(|end| (end, SegmentValue::CenterOf(row)));
        PathElement::new(ends, BLACK)
    };
    chart
        .draw_series(placed.iter().map(bar))?
        .label(THROUGHLINE)
        .legend(|(x, y)| Rectangle::new([(x, y - 4), (x + 8, y + 4)], BAR.filled()));
    chart.draw_series(placed.iter().map(spread))?;
    Ok(())
}

fn draw_marks(
    chart: &mut Chart<'_, '_>,
    way: &str,
    colour: RGBColor,
    placed: &[(usize, &Quartiles)],
) -> Drawn {
    if placed.is_empty() {
        // Nor a line in the legend.
        return Ok(());
    }
    let mark = |&(row, ratio): &(usize, &Quartiles)| {
        Circle::new((ratio.median, SegmentValue::CenterOf(row)), 4, colour.filled())
    };
    chart
        .draw_series(placed.iter().map(mark))?
        .label(way)
        .legend(move |(x, y)| Circle::new((x + 4, y), 4, colour.filled()));
    Ok(())
}

fn draw_by_hand(chart: &mut Chart<'_, '_>) -> Drawn {
    let ends = [SegmentValue::Exact(0), SegmentValue::Last].map(|end| (1.0, end));
    chart.draw_series([PathElement::new(ends, BLACK)])?;
    Ok(())
}

//! A picture of lines: both axes are logarithmic, the vertical one from a thousandth to one.

use std::fmt::Write;

/// One set of axes.
pub struct Panel {
    /// What the horizontal axis is.
    pub title: String,
    /// Its values, each of which is written below it.
    pub ticks: Vec<f64>,
    pub lines: Vec<Line>,
}

/// One line in it.
pub struct Line {
    pub title: String,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 430.0;
const HEIGHT: f64 = 300.0;
const MARGIN: (f64, f64) = (60.0, 70.0);
const LEGEND: f64 = 170.0;
/// The least that is told apart.
const LEAST: f64 = 0.001;
/// Told apart by people who see colours differently, too.
const COLOURS: [&str; 9] =
    ["#555555", "#d55e00", "#e69f00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#8c6bb1", "#000000"];

/// The whole picture, with a line for each colour in the legend.
pub fn picture(title: &str, panels: &[Panel]) -> String {
    let width = panels.len() as f64 * (WIDTH + MARGIN.0) + LEGEND;
    let height = HEIGHT + 2.0 * MARGIN.1;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, MARGIN.0, 28.0, "start", &format!("<tspan font-size=\"16\">{}</tspan>", escaped(title)));
    for (at, panel) in panels.iter().enumerate() {
        draw(&mut svg, MARGIN.0 + at as f64 * (WIDTH + MARGIN.0), panel);
    }
    let left = panels.len() as f64 * (WIDTH + MARGIN.0) + 20.0;
    for (at, line) in panels
        .iter()
        .flat_map(|panel| &panel.lines)
        .take(panels.first().map_or(0, |panel| panel.lines.len()))
        .enumerate()
    {
        let y = MARGIN.1 + 12.0 + at as f64 * 22.0;
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(svg, "<path d=\"M{left} {y}h22\" stroke=\"{colour}\" stroke-width=\"2.5\"/>");
        text(&mut svg, left + 28.0, y + 4.0, "start", &escaped(&line.title));
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, left: f64, panel: &Panel) {
    let last = panel.ticks.last().copied().unwrap_or(1.0).max(2.0);
    let x = |value: f64| left + WIDTH * 0.95 * value.max(1.0).ln() / last.ln();
    let y = |value: f64| MARGIN.1 + HEIGHT * (value.clamp(LEAST, 1.0).ln() / LEAST.ln());
    let bottom = MARGIN.1 + HEIGHT;
    for value in [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, LEAST] {
        let at = y(value);
        let _ = writeln!(svg, "<path d=\"M{left} {at:.1}h{:.1}\" stroke=\"#dddddd\"/>", WIDTH * 0.95);
        text(svg, left - 6.0, at + 4.0, "end", &value.to_string());
    }
    for tick in &panel.ticks {
        let _ = writeln!(svg, "<path d=\"M{:.1} {bottom}v5\" stroke=\"#555555\"/>", x(*tick));
        text(svg, x(*tick), bottom + 20.0, "middle", &tick.to_string());
    }
    text(svg, left + WIDTH * 0.475, bottom + 42.0, "middle", &escaped(&panel.title));
    for (at, line) in panel.lines.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points: Vec<String> =
            line.points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        let points = points.join(" ");
        let _ = writeln!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, content: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_drawn_and_named_once() {
        let line = |title: &str| Line { title: title.to_owned(), points: vec![(1.0, 0.1), (64.0, 1.0)] };
        let panel =
            || Panel { title: "a < b".to_owned(), ticks: vec![1.0, 64.0], lines: vec![line("raw"), line("R & D")] };
        let svg = picture("title", &[panel(), panel()]);
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert_eq!(svg.matches(">R &amp; D</text>").count(), 1);
        assert_eq!(svg.matches(">a &lt; b</text>").count(), 2);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}

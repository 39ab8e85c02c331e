//! A chart of horizontal bars: PURE. The bar ends at the median, a line goes from the least to the most.

use std::fmt::Write as _;

use crate::sample::shown;
use crate::statistics::Spread;

/// One bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) spread: Spread,
}

const WIDTH: f64 = 720.0;
const LABELS: f64 = 200.0;
const VALUES: f64 = 150.0;
const ROW: f64 = 28.0;
const HEAD: f64 = 44.0;
const PLOT: f64 = WIDTH - LABELS - VALUES;

/// Draws the bars. On a logarithmic scale the shortest has a tenth of the width of one decade at least.
pub(super) fn chart(title: &str, bars: &[Bar], logarithmic: bool) -> String {
    let rows = f64::from(u32::try_from(bars.len()).unwrap_or(u32::MAX));
    let height = HEAD + rows * ROW + 12.0;
    let scale = Scale::of(bars, logarithmic);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        escaped(title)
    );
    let mut top = HEAD;
    for bar in bars {
        let Spread { min, median, max } = bar.spread;
        let (middle, end) = (top + ROW / 2.0, scale.at(median));
        let (least, most) = (LABELS + scale.at(min), LABELS + scale.at(max));
        let color = if bar.label.starts_with("onetimeshare") {
            "#2563eb"
        } else {
            "#94a3b8"
        };
        let text = if min < max {
            format!("{} ({} to {})", shown(median), shown(min), shown(max))
        } else {
            shown(median)
        };
        let baseline = middle + 4.5;
        // Writing into a String cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{baseline:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS}\" y=\"{:.1}\" width=\"{end:.1}\" height=\"{:.1}\" fill=\"{color}\"/>\
             <path d=\"M{least:.1} {middle:.1}H{most:.1}\" stroke=\"#0f172a\" stroke-width=\"2\"/>\
             <text x=\"{:.1}\" y=\"{baseline:.1}\">{}</text>",
            LABELS - 8.0,
            escaped(&bar.label),
            top + 5.0,
            ROW - 10.0,
            most.max(LABELS + end) + 8.0,
            escaped(&text)
        );
        top += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

/// From values to widths.
struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    fn of(bars: &[Bar], logarithmic: bool) -> Self {
        let most = bars.iter().map(|bar| bar.spread.max).fold(0.0, f64::max);
        let positive = bars.iter().map(|bar| bar.spread.min).filter(|value| *value > 0.0);
        let least = positive.fold(f64::INFINITY, f64::min);
        // Without two positive values there is nothing to take logarithms of.
        let logarithmic = logarithmic && least < most;
        match logarithmic {
            true => Self {
                from: least.log10() - 0.1,
                to: most.log10(),
                logarithmic,
            },
            false => Self {
                from: 0.0,
                to: most.max(f64::MIN_POSITIVE),
                logarithmic,
            },
        }
    }

    fn at(&self, value: f64) -> f64 {
        let value = match self.logarithmic {
            true => value.max(f64::MIN_POSITIVE).log10(),
            false => value,
        };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0) * PLOT
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, min: f64, median: f64, max: f64) -> Bar {
        let spread = Spread { min, median, max };
        let label = label.to_owned();
        Bar { label, spread }
    }

    #[test]
    fn widths_are_proportional() {
        let bars = [bar("a", 10.0, 50.0, 100.0), bar("b", 25.0, 25.0, 25.0)];
        let scale = Scale::of(&bars, false);
        assert_eq!(
            [0.0, 50.0, 100.0, 200.0].map(|value| scale.at(value)),
            [0.0, PLOT / 2.0, PLOT, PLOT]
        );
    }

    #[test]
    fn decades_are_equally_wide() {
        let bars = [bar("a", 1.0, 1.0, 1.0), bar("b", 1000.0, 1000.0, 1000.0)];
        let scale = Scale::of(&bars, true);
        let decade = scale.at(10.0) - scale.at(1.0);
        assert!((scale.at(100.0) - scale.at(10.0) - decade).abs() < 1e-9 && decade > 0.0);
        assert!(scale.at(1.0) > 0.0, "the shortest bar is seen");
        assert_eq!(scale.at(0.0), 0.0);
    }

    #[test]
    fn nothing_but_zeros_is_drawn_too() {
        for logarithmic in [false, true] {
            let svg = chart("a < b & c", &[bar("none", 0.0, 0.0, 0.0)], logarithmic);
            assert!(svg.contains("a &lt; b &amp; c") && !svg.contains("NaN"), "{svg}");
        }
    }
}

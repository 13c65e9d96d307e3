# SPDX-License-Identifier: Apache-2.0
"""A plot with logarithmic axes as SVG, in colours that are seen on light and on dark pages."""

import html
import math

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 40, 40, 48
COLOURS = ("#2f7ed8", "#d9652b", "#3a9d5d", "#9a5fc0")
STYLE = "text{font:12px sans-serif;fill:#777}.t{font-size:14px;font-weight:bold}path{fill:none;stroke-width:2}" \
        ".g{stroke:#999;stroke-width:.5;stroke-opacity:.5}"


def decades(values):
    low, high = (math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9))
    return low, max(high, low + 1)


def number(power):
    if -3 <= power < 0:
        return f"{10 ** power:g}"
    return f"{10 ** power:,}" if power < 5 else f"{10 ** (power - 3):,} k" if power < 6 else f"{10 ** (power - 6):,} M"


def plot(title, x_label, xs, series):
    """@series: (label, values), each as long as @xs; all more than 0."""
    x_low, x_high = math.log10(min(xs)), math.log10(max(xs))
    y_low, y_high = decades([v for _, values in series for v in values])

    def x_of(x):
        return LEFT + (math.log10(x) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y_of(y):
        return HEIGHT - BOTTOM - (math.log10(y) - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 18 * len(series)}" role="img">'
           f"<title>{html.escape(title)}</title><style>{STYLE}</style>")
    yield f'<text class="t" x="{LEFT}" y="20">{html.escape(title)}</text>'
    for power in range(y_low, y_high + 1):
        y = y_of(10 ** power)
        yield f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(power)}</text>'
    for x in xs:
        yield f'<line class="g" x1="{x_of(x):.1f}" x2="{x_of(x):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text x="{x_of(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:,}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{html.escape(x_label)}</text>'
    for i, (label, values) in enumerate(series):
        colour, y = COLOURS[i % len(COLOURS)], HEIGHT + 18 * i + 6
        points = [(x_of(a), y_of(b)) for a, b in zip(xs, values)]
        yield f'<path stroke="{colour}" d="M{" L".join(f"{a:.1f} {b:.1f}" for a, b in points)}"/>'
        yield from (f'<circle fill="{colour}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points)
        yield f'<circle fill="{colour}" cx="{LEFT}" cy="{y - 4}" r="5"/>'
        yield f'<text x="{LEFT + 12}" y="{y}">{html.escape(label)}</text>'
    yield "</svg>"

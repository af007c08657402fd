"""The curve of bench/scale.sh: bench_gate at several sizes, printed and drawn."""

import math
import os
import subprocess

SIZES = [1000, 10000, 100000, 1000000]
# What of bench_gate's lines is drawn: name, title, colour.
DRAWN = [
    ("gate_arrivals_per_s", "arrivals decided a second", "#1b6ca8"),
    ("gate_releases_after_reset_per_s", "releases a second after the reset", "#c1440e"),
    ("gate_bytes_per_held_recipient", "bytes a recipient", "#2e7d32"),
    ("gate_first_release_after_reset", "first release after the reset, ms", "#6a1b9a"),
]
LEFT, TOP, WIDTH, HEIGHT, GAP = 60, 30, 300, 120, 60


def measure():
    rows = {}
    for n in SIZES:
        out = subprocess.run([f"{os.environ['BUILD']}/bench/bench_gate", str(n)], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=True, text=True).stdout
        rows[n] = {}
        for line in out.splitlines():
            name, value, unit = line.split()
            rows[n][name] = float(value)
            print(f"scale_{n}.{name} {value} {unit}")
    return rows


def panel(rows, at, name, title, colour):
    values = [rows[n][name] for n in SIZES]
    top = max(values) * 1.1 or 1
    x0, y0 = LEFT + (at % 2) * (WIDTH + GAP + 40), TOP + (at // 2) * (HEIGHT + GAP)
    span = math.log10(SIZES[-1] / SIZES[0])
    points = [(x0 + WIDTH * math.log10(n / SIZES[0]) / span, y0 + HEIGHT * (1 - v / top))
              for n, v in zip(SIZES, values)]
    out = [f'<text x="{x0}" y="{y0 - 10}" font-weight="bold">{title}</text>',
           f'<path d="M{x0} {y0}V{y0 + HEIGHT}H{x0 + WIDTH}" fill="none" stroke="#888"/>',
           f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" '
           f'stroke="{colour}" stroke-width="2"/>']
    for (x, y), n, v in zip(points, SIZES, values):
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        out.append(f'<text x="{x:.1f}" y="{y - 6:.1f}" text-anchor="middle">{v:,.6g}</text>')
        out.append(f'<text x="{x:.1f}" y="{y0 + HEIGHT + 14}" text-anchor="middle">{n:,}</text>')
    return out


def draw(rows, path):
    width, height = 2 * (LEFT + WIDTH + 40) + GAP - 40, 2 * (HEIGHT + GAP) + TOP
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="#fff"/>']
    for at, (name, title, colour) in enumerate(DRAWN):
        out += panel(rows, at, name, title, colour)
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


if __name__ == "__main__":
    measured = measure()
    if os.environ.get("SVG"):
        draw(measured, os.environ["SVG"])

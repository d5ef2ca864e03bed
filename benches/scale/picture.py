"""Draws how each figure grows with the size, from the table that `cargo bench --bench scale -- many` prints.

    python3 benches/scale/picture.py <table.md >docs/scale.svg

Each panel is one figure, relative to that of the smallest size; both axes are logarithmic, and the dashed line is linear growth.
"""

import math
import sys

COLUMNS = {"RSS": 2, "threads": 3, "CPU when idle": 4, "wake-ups": 5, "GET status of all (p50)": 6, "rebalance": 8}
COLORS = ["#0b6e99", "#c4511d", "#5a7d1e"]
TIMES = [1, 2, 4, 8]
SIDE, LEFT, TOP, GAP = 170, 46, 44, 62


def rows(text):
    """The sizes of each kind of thing, with their figures."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 9 and cells[1].isdigit() and int(cells[1]) > 1:
            found.setdefault(cells[0], []).append(cells)
    return found


def number(cell):
    return float(cell.split("/")[0])


def place(times, value):
    """Where a point is within its panel."""
    up = min(max(math.log2(max(value, 1e-9)), -0.5), 3.5)
    return SIDE * math.log2(times) / 3, SIDE - SIDE * (up + 0.5) / 4


def panel(title, column, kinds):
    out = [f'<text x="0" y="-10" font-weight="bold">{title}</text>']
    out.append(f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#bbb"/>')
    for times in TIMES:
        x, y = place(times, times)
        out.append(f'<line x1="0" x2="{SIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eee"/>')
        out.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">×{times}</text>')
        out.append(f'<text x="{x:.1f}" y="{SIDE + 16}" text-anchor="middle">×{times}</text>')
    (x1, y1), (x2, y2) = place(1, 1), place(8, 8)
    out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#888" stroke-dasharray="4 4"/>')
    for color, of in zip(COLORS, kinds.values()):
        values = [number(cells[column]) for cells in of]
        if not values[0]:
            continue
        points = [place(times, value / values[0]) for times, value in zip(TIMES, values)]
        out.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (
            color, " ".join(f"{x:.1f},{y:.1f}" for x, y in points)))
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points]
    return "\n".join(out)


def main():
    kinds = rows(sys.stdin.read())
    if not kinds or any(len(of) != len(TIMES) for of in kinds.values()):
        sys.exit("a table of four sizes of each is wanted")
    width, height = LEFT + 3 * (SIDE + GAP), TOP + 2 * (SIDE + GAP) + 30
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" fill="#333">')
    print(f'<rect width="{width}" height="{height}" fill="#fff"/>')
    for n, (title, column) in enumerate(COLUMNS.items()):
        x, y = LEFT + n % 3 * (SIDE + GAP), TOP + n // 3 * (SIDE + GAP)
        print(f'<g transform="translate({x} {y})">\n{panel(title, column, kinds)}\n</g>')
    x = LEFT
    for color, (kind, of) in zip(COLORS, kinds.items()):
        label = f"{kind}: {of[0][1]} to {of[-1][1]}"
        print(f'<circle cx="{x}" cy="{height - 14}" r="4" fill="{color}"/><text x="{x + 9}" y="{height - 10}">{label}</text>')
        x += 30 + 6 * len(label)
    print("</svg>")


main()

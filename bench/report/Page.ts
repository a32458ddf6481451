// The page: a section for each benchmark with where it was measured, its cases as pictures, and every row of it in a table.
import type { Origin } from "../harness/Origin.ts"
import type { Drawing } from "./Bars.ts"
import { bars, isDrawn, labelsOf } from "./Bars.ts"
import { curves, growths } from "./Curves.ts"
import { binary, escape, whole } from "./Markup.ts"
import { byCase, type Results, type Row, roleOf } from "./Results.ts"
import { theme } from "./Theme.ts"

const width = 560

export function page(all: ReadonlyArray<Results>): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fiberhost: benchmarks</title>
<style>${theme}${layout}</style>
</head>
<body>
<main>
<h1>fiberhost: benchmarks</h1>
<p>Bars and curves are on logarithmic scales: a bar a fixed length longer is ten times as much. Ours is in bold; a floor, what a program
could do by hand, is an outline. Ratios depend on the machine less than figures do. <code>npm run bench -- NAME</code> measures again.</p>
<nav aria-label="Benchmarks"><ul>${all.map(({ origin }) => `<li><a href="#${escape(origin.bench)}">${escape(origin.bench)}</a></li>`).join("")}</ul></nav>
${all.map(section).join("\n")}
</main>
</body>
</html>
`
}

const layout = `
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1200px;margin:0 auto;padding:24px}
h1{font-size:26px;margin:0 0 8px}
h2{font-size:20px;margin:40px 0 8px;padding-top:16px;border-top:1px solid var(--line)}
p{max-width:80ch;margin:8px 0}
a{color:var(--ours)}
nav ul{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;padding:0}
.origin{color:var(--muted);font-size:13px;max-width:none}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,520px),1fr));gap:16px;margin:16px 0;align-items:start}
figure{margin:0;padding:14px;background:var(--panel);border:1px solid var(--line);border-radius:6px}
figure svg{display:block;width:100%;max-width:${width}px;height:auto}
summary{cursor:pointer;margin:8px 0}
.table{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:3px 12px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:nth-child(-n+3),td:nth-child(-n+3),th:last-child,td:last-child{text-align:left}
`

function section(results: Results): string {
  const { origin, rows } = results
  const growing = growths(rows)
  const inCurves = new Set(growing.flatMap(({ rows }) => rows))
  const cases = [...byCase(rows.filter((row) => !inCurves.has(row)))].filter(([, rows]) => isDrawn(rows))
  const panels = (isMixed: boolean) =>
    cases
      .filter(([name]) => name.endsWith("-mixed") === isMixed)
      .map(([name, rows]) => figure(origin.bench, name, bars(name, results, rows, width, labelsOf(rows))))
      .join("\n")
  const mixed = panels(true)
  const drawn = new Set([...inCurves, ...cases.flatMap(([, rows]) => rows)])
  const undrawn = rows.filter((row) => !drawn.has(row))
  const versions = Object.entries(origin.versions).map(([name, version]) => `${name} ${version}`)
  return `<section aria-labelledby="${escape(origin.bench)}">
<h2 id="${escape(origin.bench)}">${escape(origin.bench)}</h2>
<p class="origin">${[
    origin.machine,
    `${origin.platform}, ${versions.join(", ")}`,
    `${origin.date}, commit ${origin.commit}`,
    origin.effort
  ]
    .filter((line) => line !== "")
    .map(escape)
    .join("<br>")}</p>
${origin.notes === "" ? "" : `<p>${escape(origin.notes)}</p>`}
<div class="panels">
${growing.map((growth) => figure(origin.bench, growth.name, curves(growth, width))).join("\n")}
${panels(false)}
</div>
${undrawn.length === 0 ? "" : table(origin, undrawn)}
${mixed === "" ? "" : `<details><summary>The same in a process that runs all cases in turn</summary><div class="panels">${mixed}</div></details>`}
<details><summary>All figures of ${escape(origin.bench)}</summary>
${table(origin, rows)}
</details>
</section>`
}

function figure(bench: string, name: string, { description, height, svg }: Drawing): string {
  const id = escape(`${bench}-${name}`.replaceAll(/[^\w-]/g, "-"))
  return `<figure><svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${escape(`${bench}: ${name}`)}</title><desc id="${id}-desc">${escape(description)}</desc>
${svg}
</svg></figure>`
}

function table(origin: Origin, rows: ReadonlyArray<Row>): string {
  const all: ReadonlyArray<readonly [heading: string, cell: (row: Row) => string | undefined]> = [
    ["case", (row) => row.case],
    ["subject", (row) => row.subject],
    ["role", (row) => roleOf(origin, row)],
    ["calls/s", ({ opsPerSec }) => written(opsPerSec, whole)],
    ["p50 µs", ({ p50us }) => written(p50us, whole)],
    ["p99 µs", ({ p99us }) => written(p99us, whole)],
    ["memory", ({ bytes }) => written(bytes, binary)],
    ["count", ({ count }) => written(count, whole)],
    ["error", ({ error }) => error]
  ]
  const columns = all.filter(([, cell]) => rows.some((row) => cell(row) !== undefined))
  const line = (tag: "td" | "th", cells: ReadonlyArray<string>) =>
    `<tr>${cells.map((cell) => `<${tag}${tag === "th" ? ' scope="col"' : ""}>${escape(cell)}</${tag}>`).join("")}</tr>`
  return `<div class="table"><table><thead>${line(
    "th",
    columns.map(([heading]) => heading)
  )}</thead><tbody>
${rows
  .map((row) =>
    line(
      "td",
      columns.map(([, cell]) => cell(row) ?? "")
    )
  )
  .join("\n")}
</tbody></table></div>`
}

function written(value: number | null | undefined, as: (value: number) => string): string | undefined {
  return value === null || value === undefined ? undefined : as(value)
}

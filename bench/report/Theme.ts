// Colours and type of the page and the picture. Ours is also in bold, and a floor is also an outline: nobody needs to tell colours apart.

const light = {
  ground: "#ffffff",
  panel: "#f6f8fa",
  text: "#1f2328",
  muted: "#59636e",
  line: "#d1d9e0",
  ours: "#0969da",
  peer: "#9aa4ae",
  second: "#bc4c00",
  third: "#1a7f37"
}

const dark: typeof light = {
  ground: "#0d1117",
  panel: "#151b23",
  text: "#f0f6fc",
  muted: "#9198a1",
  line: "#3d444d",
  ours: "#4493f8",
  peer: "#656c76",
  second: "#f0883e",
  third: "#3fb950"
}

const variables = (colours: typeof light) =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";")

export const theme = `
:root{color-scheme:light dark;${variables(light)}}
@media (prefers-color-scheme:dark){:root{${variables(dark)}}}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--text)}
svg .title{font-size:14px;font-weight:600}
svg .muted{fill:var(--muted);font-size:11px}
svg .bold{font-weight:600}
svg .end{text-anchor:end}
svg .middle{text-anchor:middle}
svg .grid{stroke:var(--line);stroke-width:1}
svg .ground{fill:var(--ground)}
svg .ours{fill:var(--ours)}
svg .peer{fill:var(--peer)}
svg .floor{fill:none;stroke:var(--muted);stroke-dasharray:3 2}
svg .curve{fill:none;stroke-width:2}
svg .series0{stroke:var(--ours);fill:var(--ours)}
svg .series1{stroke:var(--second);fill:var(--second)}
svg .series2{stroke:var(--third);fill:var(--third)}
svg .series3{stroke:var(--muted);fill:var(--muted)}
svg .curve{fill:none}
`

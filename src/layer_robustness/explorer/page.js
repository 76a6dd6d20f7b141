"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
for (const panel of DATA.panels) {
  panel.cells = panel.cells.map((row) =>
    Object.fromEntries(row.map((value, index) => [DATA.columns[index], value])));
}

const MODES = { ours: "ours", paper: "the paper’s", difference: "ours − the paper’s" };
const ROW = 19; // pixels of a layer that is a row, and of a checkpoint that is one
const COLUMN = 16; // pixels that a layer's upright name needs
const AROUND = 190; // pixels beside the columns: checkpoints and colour bar
const FONT = { family: getComputedStyle(document.body).fontFamily, size: 12, color: "#1d1d1f" };
const CONFIG = { displayModeBar: false, responsive: true };

const element = (id) => document.getElementById(id);
const unique = (values) => [...new Set(values)];

// Controls: the figures, and the panels of the chosen one.

function fill(id, options) {
  const select = element(id);
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

function choose() {
  const titles = new Map(DATA.panels.map((panel) => [String(panel.figure), panel.figure_title]));
  fill("figure", [...titles].map(([number, title]) => [number, `${number}: ${title}`]));
  const panels = DATA.panels.filter((panel) => String(panel.figure) === element("figure").value);
  fill("panel", panels.map(({ name, title }) => [name, `${name}: ${title}`]));
  show();
}

// Words and numbers.

const exact = (value) => String(Number(value.toPrecision(4))).replace("-", "−");
const signed = (value) => (value > 0 ? "+" : "") + exact(value);
const or = (value, write) => (value === null ? "none" : write(value));

function spread(cell) {
  const parts = [];
  if (cell.std !== null) parts.push(`${exact(cell.std)} over ${cell.seeds} seeds`);
  if (cell.std_draws !== null) parts.push(`${exact(cell.std_draws)} over ${cell.draws} draws`);
  return parts.join(", ") || (cell.ours === null ? "none" : "none: one seed, one draw");
}

// The paper's epochs and ours differ where networks were trained for fewer.
function source({ our_checkpoint: ours, checkpoint: papers }) {
  if (ours === null || papers === null || ours === papers) return ours ?? papers;
  return `${ours} / ${papers}`;
}

const sourceIn = {
  ours: (cell) => cell.our_checkpoint,
  paper: (cell) => cell.checkpoint,
  difference: source,
};
const order = (name) => (name === "rerand" ? -1 : parseInt(name, 10));

// The images of what is shown: ours may stand in for the paper's.
const data = (panel, mode) => (mode === "paper" ? panel.dataset : panel.data);

function reading(panel, mode) {
  const title = panel.title === panel.model ? "" : ` ${panel.title}.`;
  const joint = panel.joint.length
    ? " The starred, blue layers are reset together, and so are all the others."
    : "";
  const meaning = panel.meaning && ` ${panel.meaning}`;
  const scale = mode === "difference"
    ? " Red: ours is larger; blue: the paper’s is larger."
    : " Ours and the paper’s have the same colour scale.";
  const joined = panel.cells.some((cell) => cell.matched_by === "final epoch");
  const epochs = joined && mode === "difference"
    ? " Two epochs, ours / the paper’s: the last is compared with the last."
    : "";
  const leftOut = mode === "paper" ? "" : panel.left_out.map((seeds) => ` ${seeds}.`).join("");
  const figure = panel.figure_title.replace(panel.dataset, data(panel, mode));
  return `${figure}.${title} Shown: ${panel.quantity.toLowerCase()} by layer and the `
    + `checkpoint it is put back to.${meaning}${joint}${scale}${epochs}${leftOut}`;
}

// Drawing.

function heatmap(panel, mode) {
  const cells = panel.cells.filter((cell) => cell[mode] !== null);
  const sources = unique(cells.map(sourceIn[mode])).sort((a, b) => order(a) - order(b));
  const across = panel.across
    && element("heatmap").clientWidth >= AROUND + COLUMN * panel.layers.length;
  const at = new Map(cells.map((cell) => [`${cell.layer} ${sourceIn[mode](cell)}`, cell]));
  const [rows, columns] = across ? [sources, panel.layers] : [panel.layers, sources];
  const grid = (write) => rows.map((row) => columns.map((column) => {
    const cell = at.get(across ? `${column} ${row}` : `${row} ${column}`);
    return cell === undefined ? null : write(cell);
  }));
  const trace = {
    type: "heatmap", x: columns, y: rows, z: grid((cell) => cell[mode]), xgap: 1, ygap: 1,
    customdata: grid((cell) => [
      cell.layer, source(cell), or(cell.ours, exact), spread(cell), or(cell.paper, exact),
      or(cell.difference, signed),
    ]),
    hovertemplate: "<b>%{customdata[0]}</b>, put back to %{customdata[1]}<br>"
      + "ours: %{customdata[2]}<br>spread: %{customdata[3]}<br>paper: %{customdata[4]}<br>"
      + "difference: %{customdata[5]}<extra></extra>",
    colorbar: {
      thickness: 10, outlinewidth: 0, xpad: 6, y: 1, yanchor: "top", lenmode: "pixels",
      len: Math.min(ROW * Math.max(rows.length, 6), 200),
      title: {
        text: mode === "difference" ? "Difference" : panel.quantity.replace(/ (?=dist)/, "<br>"),
        side: "top", font: { size: 11 },
      },
    },
    ...colours(panel, mode),
  };
  const names = layerNames(panel);
  const plain = {
    type: "category", automargin: true, showgrid: false, ticks: "", fixedrange: true,
    tickfont: { size: 11 },
  };
  const layout = {
    font: FONT, margin: { l: 10, r: 10, t: 10, b: 10 }, dragmode: false,
    height: ROW * Math.max(rows.length, 5) + 110,
    xaxis: { ...plain, ...(across ? { ...names, tickangle: -90 } : {}) },
    yaxis: { ...plain, ...(across ? {} : names), autorange: "reversed" },
    hoverlabel: { align: "left", font: { size: 13 } },
  };
  Plotly.react("heatmap", [trace], layout, CONFIG);
}

function layerNames(panel) {
  const starred = (name) => `<span style="color:${DATA.joint_colour}">*${name}</span>`;
  const ticktext = panel.layers.map((n) => (panel.joint.includes(n) ? starred(n) : n));
  return { tickvals: panel.layers, ticktext };
}

function colours(panel, mode) {
  const values = (key) => panel.cells.map((cell) => cell[key]).filter((value) => value !== null);
  if (mode === "difference") {
    const largest = Math.max(...values("difference").map(Math.abs), ...values("resolution"));
    return { colorscale: DATA.scales.differences, zmin: -largest, zmax: largest };
  }
  const all = [...values("ours"), ...values("paper")];
  return { colorscale: DATA.scales.values, zmin: Math.min(...all), zmax: Math.max(...all) };
}

function curves(panel) {
  const history = DATA.training[panel.network];
  const line = (key, name, colour, axis) => ({
    x: history.epoch, y: history[key], name, yaxis: axis, mode: "lines+markers",
    line: { color: colour, width: 2 }, marker: { size: 4 },
    customdata: history[`${key}_std`].map((std) => (std === null ? "" : ` ± ${exact(std)}`)),
    hovertemplate: `${name}: %{y:.4~g}%{customdata}<extra></extra>`,
  });
  const last = history.epoch.at(-1);
  const checkpoints = unique(panel.cells.map((cell) => cell.our_checkpoint)).filter(Number);
  Plotly.react("training", [
    line("train_error", "training error", "#0072b2", "y"),
    line("test_error", "test error", "#d55e00", "y"),
    line("train_loss", "training loss", "#444444", "y2"),
  ], {
    font: FONT, margin: { l: 10, r: 10, t: 10, b: 10 }, height: 380, dragmode: false,
    hovermode: "x unified", legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: {
      title: { text: "epoch" }, automargin: true, fixedrange: true, anchor: "y2",
      dtick: Math.max(1, Math.round(last / 10)),
    },
    yaxis: axis("error", [0.4, 1]),
    yaxis2: axis("loss", [0, 0.32]),
    shapes: checkpoints.map((epoch) => ({
      type: "line", x0: epoch, x1: epoch, y0: 0, y1: 1, yref: "paper", layer: "below",
      line: { color: "#b0b0b5", width: 1, dash: "dot" },
    })),
  }, CONFIG);
}

function axis(text, domain) {
  return { title: { text }, domain, rangemode: "tozero", automargin: true, fixedrange: true };
}

function table(panel) {
  const columns = {
    layer: (cell) => cell.layer, "put back to": source, ours: (cell) => or(cell.ours, exact),
    spread, paper: (cell) => or(cell.paper, exact),
    difference: (cell) => or(cell.difference, signed),
  };
  const place = (cell) => panel.layers.indexOf(cell.layer) * 1e4 + order(source(cell));
  const cells = [...panel.cells].sort((a, b) => place(a) - place(b));
  const row = (kind, scope, texts) => {
    const line = document.createElement("tr");
    line.append(...texts.map((text, index) => {
      const entry = document.createElement(index === 0 ? "th" : kind);
      if (entry.tagName === "TH") entry.scope = scope;
      entry.textContent = text;
      return entry;
    }));
    return line;
  };
  document.querySelector("thead").replaceChildren(row("th", "col", Object.keys(columns)));
  document.querySelector("tbody").replaceChildren(...cells.map((cell) =>
    row("td", "row", Object.values(columns).map((write) => write(cell)))));
}

function show() {
  const panel = DATA.panels.find(({ name }) => name === element("panel").value);
  const mode = document.querySelector("input[name=mode]:checked").value;
  const ran = panel.cells.some((cell) => cell.ours !== null);
  const published = panel.cells.some((cell) => cell.paper !== null);
  const drawn = panel.cells.some((cell) => cell[mode] !== null);
  element("heading").textContent =
    `Figure ${panel.name}, ${panel.model} on ${data(panel, mode)}: ${MODES[mode]}`;
  element("reading").textContent = reading(panel, mode);
  element("small-print").textContent = DATA.small_prints[`figure${panel.figure}`];
  element("warning").hidden = panel.papers_setup !== false || mode === "paper";
  element("warning").textContent = "Data, width or epochs are not the paper’s here: compare "
    + "patterns, not levels.";
  element("missing").hidden = drawn;
  element("missing").textContent = [
    ran ? "" : `Ours ${panel.absent}.`,
    published ? "The paper’s values can be shown." : "The paper has no values of this panel.",
  ].join(" ");
  element("heatmap").hidden = !drawn;
  if (drawn) heatmap(panel, mode);
  const history = DATA.training[panel.network];
  const trained = history !== undefined && history.epoch.length > 0;
  element("training-heading").textContent = `Training of ${panel.model} on ${panel.data}`;
  element("training").hidden = element("training-reading").hidden = !trained;
  element("training-left-out").textContent = history?.left_out ? ` ${history.left_out}.` : "";
  element("training-missing").hidden = trained;
  element("training-missing").textContent =
    history ? "This network did not train." : "This network was not trained here.";
  if (trained) curves(panel);
  table(panel);
}

document.querySelector("form").addEventListener("change", choose);
let width = document.body.clientWidth;
window.addEventListener("resize", () => {
  if (document.body.clientWidth !== width) show();
  width = document.body.clientWidth;
});
choose();

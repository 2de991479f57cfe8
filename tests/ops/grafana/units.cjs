// Prints {unit: "0.25 in it", or null if Grafana does not know it} for the units in the arguments.
const path = require("node:path");
const [packages, ...units] = process.argv.slice(2);
globalThis.navigator ??= { language: "en", languages: ["en"] }; // @grafana/data is made for browsers
const { getValueFormats, getValueFormat, formattedValueToString } = require(path.join(packages, "@grafana/data"));
const known = new Set(getValueFormats().flatMap((category) => category.submenu.map((format) => format.value)));
const shown = (unit) => (known.has(unit) ? formattedValueToString(getValueFormat(unit)(0.25)) : null);
console.log(JSON.stringify(Object.fromEntries(units.map((unit) => [unit, shown(unit)]))));

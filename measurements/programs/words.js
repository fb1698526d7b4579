// Count the words and their followers of some text files with maps and objects: node words.js FILE ...
const { readFileSync } = require("fs");
const words = new Map();
for (const path of process.argv.slice(2)) {
  let before = "";
  for (const word of readFileSync(path, "utf8").toLowerCase().split(/\s+/)) {
    const entry = words.get(word) ?? { word, count: 0, after: {} };
    entry.count++;
    entry.after[before] = (entry.after[before] ?? 0) + 1;
    words.set(word, entry);
    before = word;
  }
}
const common = [...words.values()].sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1));
console.log(common.slice(0, 20).map(({ word, count, after }) => [word, count, Object.keys(after).length].join(" ")));

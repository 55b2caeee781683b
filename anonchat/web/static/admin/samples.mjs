/** Prometheus' text as numbers. Pure. */

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;

/** `[{name, labels, value}]`, of the lines that are samples. */
export const samples = (text) => text.split("\n").flatMap((line) => {
  const found = LINE.exec(line);
  return found === null ? [] : [{ name: found[1], labels: found[2] ?? "", value: Number(found[3]) }];
});

/** Of all samples with a name, whatever their labels. */
export const sumOf = (all, name) => all.filter((one) => one.name === name).reduce((sum, { value }) => sum + value, 0);

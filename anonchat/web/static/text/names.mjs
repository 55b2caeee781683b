/** Names for those who do not care how they are called: one of 256, "Quiet Otter". */

const FIRST = ["Amber", "Brave", "Calm", "Clever", "Eager", "Gentle", "Happy", "Kind", "Lucky", "Merry", "Mild", "Quick",
  "Quiet", "Silver", "Sunny", "Swift"];
const SECOND = ["Badger", "Crane", "Falcon", "Fox", "Heron", "Lynx", "Marten", "Otter", "Owl", "Panda", "Puffin", "Raven",
  "Robin", "Seal", "Swan", "Wren"];

export function suggestName(random = Math.random) {
  const choose = (words) => words[Math.floor(random() * words.length)];
  return `${choose(FIRST)} ${choose(SECOND)}`;
}

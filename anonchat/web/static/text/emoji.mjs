/** A small set of emoji by their usual names, for `:` in the composer. */

const TABLE = `smile 😄 grin 😁 joy 😂 rofl 🤣 wink 😉 blush 😊 cool 😎 heart_eyes 😍 kiss 😘 thinking 🤔 neutral 😐 eyeroll 🙄
  sad 😢 sob 😭 angry 😠 scream 😱 sleepy 😴 sick 🤒 party 🥳 shrug 🤷 facepalm 🤦 wave 👋 thumbsup 👍 thumbsdown 👎 clap 👏
  pray 🙏 muscle 💪 ok 👌 point_up ☝️ raised_hands 🙌 handshake 🤝 eyes 👀 brain 🧠 heart ❤️ broken_heart 💔 fire 🔥 star ⭐
  sparkles ✨ tada 🎉 rocket 🚀 bulb 💡 warning ⚠️ check ✅ cross ❌ question ❓ exclamation ❗ hundred 💯 coffee ☕ tea 🍵 beer 🍺
  pizza 🍕 cake 🍰 apple 🍎 sun ☀️ moon 🌙 rain 🌧️ snow ❄️ rainbow 🌈 tree 🌳 flower 🌸 dog 🐶 cat 🐱 fox 🦊 owl 🦉 otter 🦦
  bug 🐛 book 📖 pencil ✏️ pin 📌 lock 🔒 key 🔑 bell 🔔 clock ⏰ calendar 📅 mail ✉️ phone 📱 laptop 💻 music 🎵 game 🎮
  dice 🎲 trophy 🏆 gift 🎁 house 🏠 car 🚗 bike 🚲 train 🚆 plane ✈️ globe 🌍 bug 🐛 recycle ♻️`;

const words = TABLE.split(/\s+/);

/** `[[name, emoji], ...]` */
export const EMOJI = Array.from({ length: words.length / 2 }, (_, index) => [words[2 * index], words[2 * index + 1]]);

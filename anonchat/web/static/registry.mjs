/**
 * What plugins add to the client. The core asks it wherever something may be added, and knows no plugin by name. What a plugin
 * added may throw: that is told in the console, and the rest works.
 *
 * A plugin's module exports a function that is called once with its `PluginApi` before anything is shown.
 */

import { addTexts } from "./texts/catalogue.mjs";

const KINDS = ["messageActions", "personActions", "composerActions", "panels", "bars", "settings", "marks", "commands", "creation", "operatorSections"];
const OTHERWISE = { fits: false, label: "", count: 0 }; // what stands for the answer of a function that threw
const UNGUARDED = new Set(["component", "settings"]); // no room is made without what a plugin was to set in it

/** Say for those who look after plugins that one has failed. */
export const failed = (owner, error) => console.error(`the web module of ${owner} has failed`, error);

function attempt(owner, act, otherwise) {
  const fails = (error) => {
    failed(owner, error);
    return otherwise;
  };
  try {
    const answer = act();
    return answer instanceof Promise ? answer.catch(fails) : answer;
  } catch (error) {
    return fails(error);
  }
}

export class Registry {
  reducers = {}; // name of the plugin -> {initial, apply}
  renderers = []; // {owner, fits, component}
  handlers = []; // {event, act}

  constructor() {
    for (const kind of KINDS) this[kind] = [];
  }

  /** Load the modules of a page: `{owner, url}`. One that fails is left out, and the rest works. */
  async load(modules, apiOf) {
    for (const { owner, url } of modules) {
      try {
        const { default: register } = await import(url);
        register(apiOf(owner));
      } catch (error) {
        console.error(`the web module of ${owner} could not be loaded`, error);
      }
    }
  }

  /** Call what plugins do on an event. */
  happened(event, data, state) {
    for (const handler of this.handlers) if (handler.event === event) handler.act(data, state);
  }
}

/** What one plugin may do, and what it is given to do it with. */
export class PluginApi {
  #registry;
  #owner;

  /** `given` is what plugins are given beside: `html`, hooks, signals, `t`, components, and `room()`. */
  constructor(registry, owner, given) {
    this.#registry = registry;
    this.#owner = owner;
    Object.assign(this, given);
  }

  /** Texts by language: `{en: {"dice.roll": "Roll"}, de: {...}}`. */
  texts(texts) {
    addTexts(texts);
  }

  /**
   * A part of the state, found again as `state[name of the plugin]`: `{initial, apply(part, event, data, context), repeated?}`.
   * `repeated` names durable events that change what pages of history tell, so that an older page does not undo them.
   */
  reducer(reducer) {
    const apply = (part, ...event) => attempt(this.#owner, () => reducer.apply(part, ...event), part);
    this.#registry.reducers[this.#owner] = { ...reducer, apply };
  }

  /** How messages look for which `fits(message)`: a component with the props `message`, `state`. */
  renderer(fits, component) {
    this.#registry.renderers.push(this.#guarded({ fits, component }));
  }

  /** Do something when an event has come: `act(data, state)`; `state` is the one after it. */
  on(event, act) {
    this.#registry.handlers.push(this.#guarded({ event, act }));
  }

  /**
   * Add to a list of the client. What is added has an `id`, and: `messageActions` and `personActions` `{label, fits(subject,
   * state), run(subject, state)}`; `composerActions` and `commands` `{label, fits(state), run(argument)}`; `panels` `{label,
   * icon, fits(state), count?(state), component}`; `bars`, `settings`, `marks` and `operatorSections` `{component}`; `creation`
   * `{component, settings(form)}`.
   */
  add(kind, added) {
    this.#registry[kind].push(this.#guarded(added));
  }

  /** The same with the name of its plugin, and with functions whose failures are told. Components are guarded where they are shown. */
  #guarded(added) {
    const functions = Object.entries(added).filter(([name, value]) => typeof value === "function" && !UNGUARDED.has(name));
    const guarded = functions.map(([name, act]) => [name, (...given) => attempt(this.#owner, () => act.apply(added, given), OTHERWISE[name])]);
    return { ...added, ...Object.fromEntries(guarded), owner: this.#owner };
  }
}

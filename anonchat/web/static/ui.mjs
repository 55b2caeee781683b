/** What components are written with: Preact, htm and signals, from one place. */

import { createContext, Fragment, h, render } from "./vendor/preact.mjs";
import { useContext, useEffect, useErrorBoundary, useLayoutEffect, useRef, useState } from "./vendor/hooks.mjs";
import { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from "./vendor/signals.mjs";
import htm from "./vendor/htm.mjs";

export const html = htm.bind(h);
export {
  batch, computed, createContext, effect, Fragment, render, signal, useComputed, useContext, useEffect,
  useErrorBoundary, useLayoutEffect, useRef, useSignal, useSignalEffect, useState,
};

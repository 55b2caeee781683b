export const drained = true;

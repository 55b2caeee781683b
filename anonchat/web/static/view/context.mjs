/** How components get at the page and the room. */

import { createContext, useContext } from "../ui.mjs";

export const ClientContext = createContext(null);

/** The page's `Client`. */
export const useClient = () => useContext(ClientContext);

/** The `Session` of the room that is shown; components that use it are shown in a room only. */
export const useSession = () => useClient().session.value;

/** All that can be tortured here. */

export * from "./net_torture.ts";
export * from "./unix_torture.ts";

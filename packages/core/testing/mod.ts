/**
 * For the tests of mechanisms: the contract as a suite, leaks, faults, and a channel that misbehaves on purpose.
 *
 * @module
 */

export * from "./conformance.ts";
export * from "./fault_suite.ts";
export * from "./faults.ts";
export * from "./kill_suite.ts";
export * from "./leak_check.ts";
export * from "./memory_channel.ts";
export * from "./torture.ts";

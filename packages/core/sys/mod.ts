/**
 * Below the channels: libc and its errno, the platform's constants, descriptors, mappings, process identity.
 *
 * For authors of mechanisms. Everything here needs `--allow-ffi`; FFI is full trust.
 *
 * @module
 */

export * from "./abi.ts";
export * from "./byte_sink.ts";
export * from "./byte_source.ts";
export * from "./c_string.ts";
export * from "./descriptor.ts";
export * from "./errno.ts";
export * from "./fd.ts";
export * from "./file_mapping.ts";
export * from "./ftok.ts";
export * from "./libc.ts";
export * from "./look_again.ts";
export * from "./mapping.ts";
export * from "./memory.ts";
export * from "./poller.ts";
export * from "./proc.ts";
export * from "./process.ts";
export * from "./pump_bytes.ts";
export * from "./reactor.ts";
export * from "./reserve.ts";
export * from "./word_waiter.ts";

/** Raw. @module */
export {};

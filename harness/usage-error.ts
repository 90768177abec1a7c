/**
 * The command line, or a file that it names, asks for something impossible; the message names the
 * flag.
 */
export class UsageError extends Error {}

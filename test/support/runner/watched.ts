/**
 * Loaded before a program that `node --watch-path` restarts. Node would have each thread report what it loads, in messages to the
 * thread that started it, and the store takes every message of its threads for an answer.
 */
delete process.env.WATCH_REPORT_DEPENDENCIES

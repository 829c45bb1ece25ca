/**
 * Express gives nobody in front a sign that a handler has failed: its error handlers answer, and what the handler had said of its
 * success still stands on the response. But they are called by one method of its layers, which is on the stack while they answer.
 */

/** `Layer#handleError` of Express 5, `Layer#handle_error` of Express 4. */
const ERROR_LAYER = /\bLayer\.handle_?error\b/i
/** Deep enough for a view engine between the error handler and the response. */
const MAX_FRAMES = 100

/** Is an error handler of Express answering right now (XPR-12)? Costly: ask it about errors only. */
export function isErrorPath(): boolean {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = MAX_FRAMES
  const { stack } = new Error('Where are we?')
  Error.stackTraceLimit = stackTraceLimit
  return stack !== undefined && ERROR_LAYER.test(stack)
}

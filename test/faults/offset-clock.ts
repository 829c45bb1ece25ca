/** Loaded before everything else: the wall clock of this process is off, its monotonic clock is not. */

const offsetMs = Number(process.env['CLOCK_OFFSET_MS'] ?? 0)
const now = Date.now.bind(Date)
Date.now = () => now() + offsetMs
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + offsetMs })

import type { World } from './world.ts'

/** A course of events that is rare by chance and certain here. */
export type Script = (world: World) => Promise<void>

/** By what they are about; each must end without a breach. */
export type Scripts = Readonly<Record<string, Script>>

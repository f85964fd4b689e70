/** Families of header fields that a delivery of a webhook may have, each named by its beginning (contract#webhook-headers). */
export const headerFamilies = ['rtk', 'dyte'] as const
export type HeaderFamily = (typeof headerFamilies)[number]

/**
 * Header with which a member is added under a chosen id: etcd's message has no place for one. Other
 * servers ignore it.
 */
export const MEMBER_ID_HEADER = 'pawl-member-id';

/**
 * Header with which a member is added under a chosen id: etcd's message has no place for one. With
 * a list or a removal it asks for that id as the name of members that have not started, which etcd's
 * clients know by an empty name. Other servers ignore it.
 */
export const MEMBER_ID_HEADER = 'pawl-member-id';

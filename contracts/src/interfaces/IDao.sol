// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IDao
/// @notice What the Dao adds to OpenZeppelin's Governor, whose interface is `IGovernor`: grave proposals.
/// @dev What passed can be executed at any later time, but `suspect` only in the registration, and `rehab` and `ban` only
/// in the suspicion, that its votes were about: no leftover decision opens or closes a later case.
///
/// A proposal is grave if it bans a wallet, spends from a treasury, or changes the government itself, that is, if it calls
/// the Dao or its timelock. All need the higher quorum and majority: otherwise whoever may only suspect could vote itself
/// a way to ban, or the treasury's tokens, which are votes as soon as somebody else holds them.
/// Votes are GIO delegated at the proposal's snapshot (GV-09); whoever never delegated has none.
interface IDao {
    /* EVENTS */

    /// @notice The proposal just created needs the grave quorum and majority.
    event GraveProposed(uint256 indexed proposalId);

    /* ERRORS */

    /// @notice Rules under which nothing, or anything, could be voted through.
    error DaoParametersInvalid();
    /// @notice The timelock was deployed for another Dao.
    error TimelockOfOtherDao(address timelock);
    /// @notice A ban is voted on alone: nothing is bundled with it (HW-25).
    error BanNotAlone(uint256 actions);
    /// @notice The wallet was registered or suspected again after the snapshot: this vote was about an earlier time.
    error DecisionOutdated(uint256 proposalId, address wallet, uint256 since, uint256 snapshot);
    /// @notice Wallets name their timelock for ever; a Dao with another could not govern them.
    error TimelockFixed();

    /* FUNCTIONS */

    /// @notice Whether a proposal needs the grave quorum and majority.
    /// @param proposalId A proposal.
    /// @return True if it bans, spends, or calls the Dao or its timelock.
    function isGrave(uint256 proposalId) external view returns (bool);

    /// @notice How many votes for and abstain the proposal needs together.
    /// @dev Reverts until the proposal's snapshot has passed. A front end that knows only `quorum(timepoint)` shows the
    /// ordinary number for grave proposals too.
    /// @param proposalId A proposal.
    /// @return Base units.
    function quorumOf(uint256 proposalId) external view returns (uint256);

    /// @notice Who may propose without votes: the cases, whose bonds stand in for the threshold.
    /// @return The contract.
    function cases() external view returns (address);

    /// @notice The quorum of grave proposals.
    /// @return Per cent of the supply at the snapshot.
    function graveQuorumPercent() external view returns (uint8);

    /// @notice The majority grave proposals need.
    /// @return Per cent of the votes for and against.
    function graveMajorityPercent() external view returns (uint8);
}

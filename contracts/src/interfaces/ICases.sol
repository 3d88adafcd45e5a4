// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICaseRegister} from "./IGovernment.sol";
import {Case, CaseKind, CaseOutcome} from "../types/Governance.sol";

/// @title ICases
/// @notice The court of the government (GV-12): anyone accuses a hub with a bond and evidence, and the case is put to the
/// vote at once; a suspected hub appeals the same way.
///
/// @dev Opening a case makes the Dao's proposal, so no votes are needed to be heard; the bond stands in for them. The vote
/// decides the bond: it goes back if the proposal passes, and to the treasury's general money, of which nobody gets a
/// dividend, if it is voted down or too few vote. Whoever
/// accuses without grounds loses it, and payday waits at most one period for it (R8): accusations of one registration hold
/// it for one payout period together, from the first that was not decided before payday.
///
/// Several cases against one wallet may run at a time: if only one could, a hub would open it itself to keep others out.
interface ICases is ICaseRegister {
    /* EVENTS */

    /// @notice A case is before the Dao.
    /// @param where Where the evidence is found.
    event CaseOpened(
        uint256 indexed caseId,
        address indexed wallet,
        address indexed opener,
        CaseKind kind,
        uint128 bond,
        bytes32 evidence,
        string where,
        uint256 proposalId
    );

    /// @notice A case ended; the bond went to the opener or, if rejected, to the treasury.
    event CaseDecided(uint256 indexed caseId, address indexed wallet, CaseOutcome outcome, uint128 bond);

    /* ERRORS */

    /// @notice Contracts without code, or a bond of nothing.
    error CasesParametersInvalid();
    /// @notice The Dao was deployed with other cases.
    error DaoOfOtherCases(address cases);
    /// @notice The wallet is not in the state such a case is about.
    error WalletNotInQuestion(address wallet, CaseKind kind);
    /// @notice Only its owner appeals for a wallet.
    error NotAppellant(address caller, address owner);
    /// @notice A case without evidence.
    error EvidenceMissing();
    /// @notice The place of the evidence is too long or not plain text.
    error EvidencePlaceInvalid(uint256 length, uint256 max);
    /// @notice The bond is too low.
    error BondTooLow(uint128 bond, uint128 min);
    /// @notice There is no such case.
    error CaseUnknown(uint256 caseId);
    /// @notice The case ended before.
    error CaseClosed(uint256 caseId, CaseOutcome outcome);
    /// @notice The Dao has not decided.
    error CaseOpen(uint256 caseId, uint256 proposalId);

    /* FUNCTIONS */

    /// @notice Accuses a registered wallet: proposes to suspect it. Anyone, with an allowance for the bond.
    /// @param wallet A listed wallet in state Registered.
    /// @param evidence Content root of the evidence.
    /// @param where Where it is found: visible ASCII without spaces, at most 256 bytes.
    /// @param bond Base units, at least `bondFor(wallet)`.
    /// @return caseId The case.
    function accuse(address wallet, bytes32 evidence, string calldata where, uint128 bond)
        external
        returns (uint256 caseId);

    /// @notice Appeals against a suspicion: proposes to rehabilitate the wallet. Only the wallet's owner.
    /// @dev The bond is at least `bondMin`: the wallet's own money is frozen, so it cannot be asked for a part of it.
    /// @param wallet A listed wallet in state Suspected.
    /// @param evidence Content root of the evidence.
    /// @param where Where it is found: visible ASCII without spaces, at most 256 bytes.
    /// @param bond Base units.
    /// @return caseId The case.
    function appeal(address wallet, bytes32 evidence, string calldata where, uint128 bond)
        external
        returns (uint256 caseId);

    /// @notice Ends a case as the Dao decided, and pays out its bond. Anyone.
    /// @dev An accusation that was voted through stays open, and blocks payday, until it is executed: nobody escapes
    /// between vote and execution. If it can no longer be executed the bond goes back.
    /// @param caseId An undecided case.
    /// @return outcome How it ended.
    function decide(uint256 caseId) external returns (CaseOutcome outcome);

    /* VIEWS */

    /// @notice One case.
    /// @param caseId Its number, from 1 on.
    /// @return The case; empty if there is none.
    function caseOf(uint256 caseId) external view returns (Case memory);

    /// @notice The Dao's proposal a case became.
    /// @param caseId A case.
    /// @return Its number; zero if there is no such case.
    function proposalOf(uint256 caseId) external view returns (uint256);

    /// @notice How many cases were opened.
    /// @return The count, which is also the last case's number.
    function caseCount() external view returns (uint256);

    /// @notice How many accusations against the wallet were not decided.
    /// @param wallet A wallet.
    /// @return The count.
    function openAccusations(address wallet) external view returns (uint256);

    /// @notice The least bond of an accusation: 1 % of the wallet's own balance, rounded up, and at least `bondMin`.
    /// @dev Of what the wallet knows: until somebody calls its `reconcile`, what miners have pulled counts as owed to them
    /// still, so the bond is too low by at most 1 % of it. Whoever wants the whole bond asked reconciles; anybody may.
    /// @param wallet A wallet.
    /// @return Base units.
    function bondFor(address wallet) external view returns (uint128);

    /// @notice The least bond of any case.
    /// @return Base units.
    function bondMin() external view returns (uint128);

    /// @notice What bonds are posted in.
    /// @return The token.
    function token() external view returns (address);

    /// @notice Who votes on cases.
    /// @return The Dao.
    function dao() external view returns (address);

    /// @notice Who receives forfeited bonds.
    /// @return The treasury.
    function treasury() external view returns (address);

    /// @notice Whose wallets can be accused.
    /// @return The whitelist.
    function whitelist() external view returns (address);
}

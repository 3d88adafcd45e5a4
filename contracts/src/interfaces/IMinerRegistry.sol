// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Delegation, Miner, Reservation} from "../types/Miner.sol";

/// @title IMinerRegistry
/// @notice Miners' bonds, what of them is in dispute, where miners want to be paid, and which machines sign for them.
///
/// @dev An owner is an address with a bond; a machine's key signs claims and the owner's bond answers for them (R14).
/// Bonds are at risk only by the court that the registry was made with, and only as much as is there (R15). A bond leaves
/// after a delay that is longer than any dispute about a result posted before it was asked back; a revoked key goes on
/// binding its owner for the same time. A result that is posted late can outlive the bond behind its claims: whoever gives
/// out work looks at `coveredUntil` and refuses owners whose bond leaves before the deal can end (R15). Amounts are base units, times Unix seconds of block time (F5). The token is `GioToken`.
interface IMinerRegistry {
    /* EVENTS */

    /// @notice A bond grew.
    /// @param bond All of it now.
    event Bonded(address indexed owner, address indexed by, uint128 amount, uint128 bond);
    /// @notice An owner asks back `leaving` in all, from `leavesAt` on. Zero: it changed its mind.
    event WithdrawalRequested(address indexed owner, uint128 leaving, uint64 leavesAt);
    /// @notice An owner took back a part of its bond.
    event BondWithdrawn(address indexed owner, uint128 amount, uint128 bond);
    /// @notice An owner is paid elsewhere from now on.
    event PayoutChanged(address indexed owner, address indexed to);
    /// @notice A machine's key signs for an owner.
    event KeyDelegated(address indexed key, address indexed owner);
    /// @notice A key will not sign for its owner any more from `endsAt` on.
    event KeyRevoked(address indexed key, address indexed owner, uint64 endsAt);
    /// @notice The court put a part of a bond at risk.
    event BondReserved(bytes32 indexed claim, address indexed owner, uint128 amount);
    /// @notice The claim stood.
    event BondReleased(bytes32 indexed claim, address indexed owner, uint128 amount);
    /// @notice The claim fell; what was reserved for it went to `to`.
    event BondSlashed(bytes32 indexed claim, address indexed owner, address indexed to, uint128 amount);

    /* ERRORS */

    /// @notice A registry needs a token, a least bond and a clock.
    error RegistryParametersInvalid();
    /// @notice Only the court the registry was made with.
    error NotCourt(address caller, address court);
    /// @notice A bond, or a withdrawal, of nothing.
    error BondAmountZero();
    /// @notice An owner is an address that signs for itself: not zero, not somebody's machine.
    error OwnerInvalid(address owner);
    /// @notice Who lost a claim is out for good.
    error OwnerOut(address owner);
    /// @notice There is less of the bond that does not leave already.
    error BondLeftTooLow(uint128 left, uint128 needed);
    /// @notice Nothing is leaving.
    error NothingLeaving(address owner);
    /// @notice The delay is not over.
    error LeavesLater(uint64 leavesAt, uint64 time);
    /// @notice All that may leave is at risk in the court.
    error BondAtRisk(uint128 atRisk);
    /// @notice Nobody can be paid there.
    error PayoutInvalid(address to);
    /// @notice The key signs for an owner already.
    error KeyTaken(address key, address owner);
    /// @notice A key whose own bond answers for claims signs for itself only.
    error KeyHasBond(address key);
    /// @notice The consent was meant for an earlier time.
    error ConsentExpired(uint64 deadline, uint64 time);
    /// @notice The key did not sign this.
    error ConsentInvalid(address key, bytes32 digest);
    /// @notice Only the key's owner or the key itself.
    error NotKeyHolder(address caller, address key);
    /// @notice The key was revoked before, or never delegated.
    error KeyNotDelegated(address key);
    /// @notice Another owner's bond is reserved for this claim.
    error ReservedOfOther(bytes32 claim, address owner);
    /// @notice Nothing is reserved for this claim.
    error NotReserved(bytes32 claim);

    /* BONDS */

    /// @notice Adds to an owner's bond. Anyone, with an allowance.
    /// @dev Warning: what is added is the owner's; only it can take it back.
    /// @param owner Whose bond.
    /// @param amount Base units.
    function bond(address owner, uint128 amount) external;

    /// @notice Asks back a part of the caller's bond; a request before this one waits again with it.
    /// @dev Until it is taken the money goes on answering for claims.
    /// @param amount Base units, on top of what is leaving already.
    function requestWithdrawal(uint128 amount) external;

    /// @notice Leaves the caller's bond where it is after all.
    function cancelWithdrawal() external;

    /// @notice Takes what was asked back and is not at risk, after the delay.
    /// @return amount Base units.
    function withdraw() external returns (uint128 amount);

    /// @notice Says where the caller wants to be paid for its work.
    /// @param to The address; the caller's own to undo.
    function setPayout(address to) external;

    /* KEYS */

    /// @notice Makes a machine's key sign for the caller. The key consents with a signature.
    /// @dev `consent` is the key's EIP-712 signature, domain (`GIO`, `1`, chain, this registry), of
    /// `Delegation(address key,address owner,uint256 nonce,uint64 deadline)`; contracts sign by EIP-1271. A key has one
    /// owner at a time, and a key whose own bond answers for claims none but itself.
    /// @param key The machine's key.
    /// @param deadline Last second at which the consent counts.
    /// @param consent By the key.
    function delegateKey(address key, uint64 deadline, bytes calldata consent) external;

    /// @notice Ends a delegation after the withdrawal delay. Its owner or the key itself.
    /// @param key The machine's key.
    function revokeKey(address key) external;

    /* THE COURT */

    /// @notice Puts min(deposit, what of the bond is not at risk) at risk, once per claim (R15). Only the court.
    /// @dev A second call for the same claim changes nothing and tells the same amount.
    /// @param claim The claim in dispute.
    /// @param owner Whose bond answers for it.
    /// @param deposit What the court wants, base units.
    /// @return amount What it got, possibly zero.
    function reserve(bytes32 claim, address owner, uint128 deposit) external returns (uint128 amount);

    /// @notice The claim stood: what was reserved is no longer at risk. Only the court.
    /// @param claim The claim.
    function release(bytes32 claim) external;

    /// @notice The claim fell: what was reserved goes to `to`, and the owner is out for good. Only the court.
    /// @param claim The claim.
    /// @param to Who showed it.
    /// @return amount Base units.
    function slash(bytes32 claim, address to) external returns (uint128 amount);

    /* VIEWS */

    /// @notice Whether a signer's claims count: its bond reaches the least bond and it never lost a claim.
    /// @dev Bonds at risk count: nobody is refused merely because undecided games hold its bond (R15).
    /// @param owner An owner.
    /// @return True if so.
    function isActive(address owner) external view returns (bool);

    /// @notice Until when an owner's bond is sure to reach the least bond. Hubs refuse claims of deals that end later.
    /// @param owner An owner.
    /// @return Unix seconds; zero if it does not reach it now, the largest number if nothing is leaving.
    function coveredUntil(address owner) external view returns (uint64);

    /// @notice For whom a key signs: its owner while a delegation lasts, otherwise itself.
    /// @param key Any address.
    /// @return The owner.
    function ownerOf(address key) external view returns (address);

    /// @notice Where an owner wants to be paid.
    /// @param owner An owner.
    /// @return The address it named, or its own.
    function payoutOf(address owner) external view returns (address);

    /// @notice What is stored of an owner.
    /// @param owner An owner.
    /// @return The entry.
    function miner(address owner) external view returns (Miner memory);

    /// @notice What is stored of a key; a delegation that ended may still stand there.
    /// @param key A key.
    /// @return The entry.
    function delegation(address key) external view returns (Delegation memory);

    /// @notice What is reserved for a claim.
    /// @param claim A claim.
    /// @return The entry; empty if nothing is.
    function reservation(bytes32 claim) external view returns (Reservation memory);

    /// @notice What a key signs to consent.
    /// @param key The key.
    /// @param owner Whom it will sign for.
    /// @param deadline Last second at which the consent counts.
    /// @return The EIP-712 digest with the key's next nonce.
    function consentDigest(address key, address owner, uint64 deadline) external view returns (bytes32);

    /// @notice From a request to the withdrawal: longest window, both clocks and all grace (R15).
    /// @return Seconds.
    function withdrawalDelay() external view returns (uint32);

    /// @notice The least bond that counts.
    /// @return Base units.
    function bondMin() external view returns (uint128);

    /// @notice Who puts bonds at risk; zero: nobody ever.
    /// @return The court.
    function court() external view returns (address);

    /// @notice What bonds are posted in.
    /// @return The token.
    function token() external view returns (address);
}

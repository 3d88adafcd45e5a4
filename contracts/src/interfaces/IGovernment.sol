// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ICaseRegister
/// @notice What a wallet asks the cases: `Cases` answers, and nothing else of it concerns a wallet.
interface ICaseRegister {
    /// @notice Whether an accusation against the wallet is undecided.
    /// @param wallet A wallet.
    /// @return True while one is.
    function isOpen(address wallet) external view returns (bool);

    /// @notice Since when accusations keep the wallet from its payday (R8), which waits one payout period from then on, or
    /// from payday if that is later: the first one of its present registration that was not decided before payday.
    /// @param wallet A wallet.
    /// @return Unix seconds; zero if no accusation is undecided, or none of this registration was opened.
    function accusedSince(address wallet) external view returns (uint64);

    /// @notice Whether `caseId` is an undecided accusation against the wallet, opened in its present registration: no
    /// suspicion without evidence, and none by evidence of an earlier time that was answered or left behind.
    /// @param caseId A case.
    /// @param wallet A wallet.
    /// @return True if so.
    function isPending(uint256 caseId, address wallet) external view returns (bool);
}

/// @title ITreasuryInbox
/// @notice Where a banned wallet's own money goes: `Treasury` keeps it apart and locked (HW-24).
interface ITreasuryInbox {
    /// @notice Takes expropriated money from the caller, who approved it, and locks it.
    /// @param amount Base units.
    /// @return bucketId Where it lies.
    function lockExpropriated(uint128 amount) external returns (uint256 bucketId);
}

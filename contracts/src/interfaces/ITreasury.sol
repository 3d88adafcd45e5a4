// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ITreasuryInbox} from "./IGovernment.sol";
import {Bucket, Epoch} from "../types/Governance.sol";

/// @title ITreasury
/// @notice The Dao's money: fees, forfeited bonds, expropriated funds, and the dividends of those who hold votes.
///
/// @dev Assumptions: the token is `GioToken` (no fee, no hook, past votes by block time). Amounts are base units.
///
/// Money is in one of four places. What was sent here by plain transfer is the running epoch's fees: what
/// hubs pay, and never what a vote takes. Closing the epoch
/// gives a fixed share of them to the holders of votes and the rest to bucket 0, the general money. Every expropriation
/// is a bucket of its own, out of reach until its lock ends and never part of a dividend, so that nobody gains from
/// expropriating hubs (HW-24, HW-25). Only the Dao's timelock spends, from one
/// bucket at a time and after a grave vote: what is spent can vote.
///
/// What the treasury holds cannot vote: it delegates to nobody (R12).
interface ITreasury is ITreasuryInbox {
    /* EVENTS */

    /// @notice Money came in that is nobody's fee: what the treasury was made with, or a gift.
    event GeneralDeposited(address indexed from, uint128 amount);
    /// @notice Expropriated money came in.
    event ExpropriatedLocked(uint256 indexed bucketId, address indexed from, uint128 amount, uint64 unlockAt);
    /// @notice The Dao spent.
    event Spent(uint256 indexed bucketId, address indexed to, uint128 amount);
    /// @notice An epoch's fees were divided: `dividend` for the votes of `snapshot`, the rest of `fees` is general money.
    event EpochClosed(
        uint256 indexed epoch, uint64 snapshot, uint128 fees, uint128 dividend, uint128 supply, uint64 claimBy
    );
    /// @notice A holder got its share.
    event DividendClaimed(uint256 indexed epoch, address indexed account, uint128 amount);
    /// @notice What nobody claimed became general money.
    event DividendSwept(uint256 indexed epoch, uint128 amount);

    /* ERRORS */

    /// @notice A treasury needs a token, a Dao, and parameters that do not contradict themselves.
    error TreasuryParametersInvalid();
    /// @notice Only the Dao's timelock spends.
    error NotDaoTimelock(address caller, address dao);
    /// @notice Nothing is not an amount.
    error TreasuryAmountZero();
    /// @notice Money cannot be spent to the zero address or to the treasury.
    error RecipientInvalid(address to);
    /// @notice The expropriated money is still locked.
    error BucketLocked(uint256 bucketId, uint64 unlockAt);
    /// @notice There is less in the bucket.
    error BucketTooLow(uint256 bucketId, uint128 amount, uint128 needed);
    /// @notice The epoch has not ended, or was closed already.
    error EpochNotEnded(uint256 epoch);
    /// @notice Nobody closed an epoch of this number.
    error EpochUnknown(uint256 epoch);
    /// @notice The dividends of the epoch can no longer be claimed.
    error ClaimPeriodOver(uint256 epoch, uint64 claimBy);
    /// @notice The dividends of the epoch can still be claimed.
    error ClaimPeriodRunning(uint256 epoch, uint64 claimBy);
    /// @notice The account got its share of this epoch already.
    error DividendClaimedAlready(uint256 epoch, address account);
    /// @notice The account had no votes at the snapshot, or too few for one base unit, or nothing is left to sweep.
    error NothingToClaim(uint256 epoch, address account);

    /* MONEY IN */

    /// @notice Takes a gift into the general money. Anyone, with an allowance.
    /// @dev Warning: a plain transfer is counted as fees instead, of which a part becomes dividends.
    /// @param amount Base units.
    function deposit(uint128 amount) external;

    /* MONEY OUT */

    /// @notice Spends from one bucket. Only the Dao's timelock, after a grave vote.
    /// @param bucketId 0 for the general money, otherwise an expropriation whose lock has ended.
    /// @param to Who receives it.
    /// @param amount Base units.
    function spend(uint256 bucketId, address to, uint128 amount) external;

    /* DIVIDENDS */

    /// @notice Divides the fees that came in since the last close. Anyone, once per epoch, after its end.
    /// @dev The snapshot is the last end of an epoch, not the moment of the call, so that the caller cannot choose whose
    /// votes count. Epochs in which nobody closed are skipped; their fees are part of the next one.
    /// @return epoch Its number.
    function closeEpoch() external returns (uint256 epoch);

    /// @notice Pays an account its share of an epoch's dividend: votes at the snapshot / supply, rounded down. Anyone.
    /// @dev Votes count where they were delegated to: a holder who wants the dividend delegates to itself (R13). The
    /// shares of tokens that were delegated to nobody stay, and become general money after the claim period.
    /// @param epoch A closed epoch.
    /// @param account Who had votes; it gets the money whoever calls.
    /// @return amount Base units.
    function claimDividend(uint256 epoch, address account) external returns (uint128 amount);

    /// @notice Makes what nobody claimed in time general money. Anyone.
    /// @param epoch A closed epoch whose claim period is over.
    /// @return amount Base units.
    function sweepDividend(uint256 epoch) external returns (uint128 amount);

    /* VIEWS */

    /// @notice One bucket.
    /// @param bucketId 0 for the general money.
    /// @return The bucket; empty if there is none of this number.
    function bucket(uint256 bucketId) external view returns (Bucket memory);

    /// @notice How many buckets there are, the general one included.
    /// @return The count.
    function bucketCount() external view returns (uint256);

    /// @notice One epoch.
    /// @param epoch Its number.
    /// @return The epoch; empty if nobody closed it.
    function epochOf(uint256 epoch) external view returns (Epoch memory);

    /// @notice The last epoch somebody closed.
    /// @return Its number, zero if none was.
    function lastEpoch() external view returns (uint256);

    /// @notice What an account would get from `claimDividend` now.
    /// @param epoch An epoch.
    /// @param account An account.
    /// @return Base units; zero if it got it already or the time is over.
    function claimable(uint256 epoch, address account) external view returns (uint128);

    /// @notice Fees that came in since the last close.
    /// @return Base units.
    function fees() external view returns (uint128);

    /// @notice The token the treasury holds.
    /// @return The token.
    function token() external view returns (address);

    /// @notice The only spender: the Dao's timelock.
    /// @return The timelock.
    function dao() external view returns (address);

    /// @notice When epoch 1 began.
    /// @return Unix seconds.
    function start() external view returns (uint64);

    /// @notice How long expropriated money is locked.
    /// @return Seconds.
    function expropriationLock() external view returns (uint32);

    /// @notice From one dividend snapshot to the next.
    /// @return Seconds.
    function epochLength() external view returns (uint32);

    /// @notice How long dividends can be claimed.
    /// @return Seconds.
    function claimPeriod() external view returns (uint32);

    /// @notice The holders' part of the fees.
    /// @return Per mille.
    function dividendPerMille() external view returns (uint16);
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ITreasuryInbox} from "./interfaces/IGovernment.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {Bucket, Epoch, TreasuryParameters} from "./types/Governance.sol";

/// @title Treasury
/// @notice See {ITreasury}.
contract Treasury is ITreasury {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /* CONSTANTS */

    /// @notice The bucket of the general money.
    uint256 public constant GENERAL = 0;

    /* IMMUTABLES */

    IERC20 private immutable TOKEN;
    address private immutable DAO;
    uint64 private immutable START;
    uint32 private immutable EXPROPRIATION_LOCK;
    uint32 private immutable EPOCH_LENGTH;
    uint32 private immutable CLAIM_PERIOD;
    uint16 private immutable DIVIDEND_PER_MILLE;

    /* STORAGE */

    /// @inheritdoc ITreasury
    uint256 public bucketCount = 1;
    /// @inheritdoc ITreasury
    uint256 public lastEpoch;
    /// @dev Of all buckets and of all dividends that can still be claimed; the rest of the balance are fees.
    uint128 private _accounted;
    mapping(uint256 bucketId => Bucket) private _buckets;
    mapping(uint256 epoch => Epoch) private _epochs;
    mapping(uint256 epoch => mapping(address account => bool)) private _hasClaimed;

    /* CONSTRUCTOR */

    /// @dev What is here already, the initial supply for example, is general money: it was nobody's fee.
    /// @param token_ What it holds.
    /// @param dao_ The timelock, for ever the only spender.
    /// @param p Its parameters.
    constructor(IERC20 token_, address dao_, TreasuryParameters memory p) {
        bool sensible = p.epochLength != 0 && p.dividendPerMille <= 1000 && p.claimPeriod != 0;
        if (address(token_).code.length == 0 || dao_ == address(0) || !sensible) revert TreasuryParametersInvalid();
        TOKEN = token_;
        DAO = dao_;
        START = uint64(block.timestamp);
        EXPROPRIATION_LOCK = p.expropriationLock;
        EPOCH_LENGTH = p.epochLength;
        CLAIM_PERIOD = p.claimPeriod;
        DIVIDEND_PER_MILLE = p.dividendPerMille;
        uint128 initial = token_.balanceOf(address(this)).toUint128();
        if (initial > 0) {
            _fill(GENERAL, initial);
            emit GeneralDeposited(address(0), initial);
        }
    }

    /* MONEY IN */

    /// @inheritdoc ITreasury
    function deposit(uint128 amount) external {
        if (amount == 0) revert TreasuryAmountZero();
        _fill(GENERAL, amount);
        emit GeneralDeposited(msg.sender, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc ITreasuryInbox
    function lockExpropriated(uint128 amount) external returns (uint256 bucketId) {
        if (amount == 0) revert TreasuryAmountZero();
        bucketId = bucketCount++;
        uint64 unlockAt = uint64(block.timestamp) + EXPROPRIATION_LOCK;
        _buckets[bucketId].unlockAt = unlockAt;
        _fill(bucketId, amount);
        emit ExpropriatedLocked(bucketId, msg.sender, amount, unlockAt);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /* MONEY OUT */

    /// @inheritdoc ITreasury
    function spend(uint256 bucketId, address to, uint128 amount) external {
        if (msg.sender != DAO) revert NotDaoTimelock(msg.sender, DAO);
        if (amount == 0) revert TreasuryAmountZero();
        if (to == address(0) || to == address(this)) revert RecipientInvalid(to);
        Bucket storage from = _buckets[bucketId];
        // INVARIANT: expropriated money is out of reach while it is locked, whatever is voted.
        if (block.timestamp < from.unlockAt) revert BucketLocked(bucketId, from.unlockAt);
        if (from.amount < amount) revert BucketTooLow(bucketId, from.amount, amount);

        from.amount -= amount;
        _accounted -= amount;
        emit Spent(bucketId, to, amount);
        TOKEN.safeTransfer(to, amount);
    }

    /* DIVIDENDS */

    /// @inheritdoc ITreasury
    function closeEpoch() external returns (uint256 epoch) {
        // The token tells votes of the past only, so the second of the snapshot must be over.
        uint256 elapsed = block.timestamp - START;
        epoch = elapsed > 0 ? (elapsed - 1) / EPOCH_LENGTH : 0;
        if (epoch <= lastEpoch) revert EpochNotEnded(epoch + 1);
        uint64 snapshot = START + (epoch * EPOCH_LENGTH).toUint64();
        uint64 claimBy = uint64(block.timestamp) + CLAIM_PERIOD;
        uint128 fees_ = fees();
        uint128 supply = IVotes(address(TOKEN)).getPastTotalSupply(snapshot).toUint128();
        // Without supply nobody could have a share of it.
        uint128 dividend = supply > 0 ? uint128(uint256(fees_) * DIVIDEND_PER_MILLE / 1000) : 0;

        lastEpoch = epoch;
        _accounted += dividend;
        _fill(GENERAL, fees_ - dividend);
        _epochs[epoch] = Epoch({dividend: dividend, claimed: 0, supply: supply, snapshot: snapshot, claimBy: claimBy});
        emit EpochClosed(epoch, snapshot, fees_, dividend, supply, claimBy);
    }

    /// @inheritdoc ITreasury
    function claimDividend(uint256 epoch, address account) external returns (uint128 amount) {
        Epoch storage e = _closed(epoch);
        if (block.timestamp > e.claimBy) revert ClaimPeriodOver(epoch, e.claimBy);
        if (_hasClaimed[epoch][account]) revert DividendClaimedAlready(epoch, account);
        amount = _share(e, account);
        if (amount == 0) revert NothingToClaim(epoch, account);

        _hasClaimed[epoch][account] = true;
        // INVARIANT: never above the dividend, because votes add up to at most the supply and every share is rounded down.
        e.claimed += amount;
        _accounted -= amount;
        emit DividendClaimed(epoch, account, amount);
        TOKEN.safeTransfer(account, amount);
    }

    /// @inheritdoc ITreasury
    function sweepDividend(uint256 epoch) external returns (uint128 amount) {
        Epoch storage e = _closed(epoch);
        if (block.timestamp <= e.claimBy) revert ClaimPeriodRunning(epoch, e.claimBy);
        amount = e.dividend - e.claimed;
        if (amount == 0) revert NothingToClaim(epoch, address(this));

        e.dividend = e.claimed;
        _accounted -= amount;
        _fill(GENERAL, amount);
        emit DividendSwept(epoch, amount);
    }

    /* VIEWS */

    /// @inheritdoc ITreasury
    function bucket(uint256 bucketId) external view returns (Bucket memory) {
        return _buckets[bucketId];
    }

    /// @inheritdoc ITreasury
    function epochOf(uint256 epoch) external view returns (Epoch memory) {
        return _epochs[epoch];
    }

    /// @inheritdoc ITreasury
    function claimable(uint256 epoch, address account) external view returns (uint128) {
        Epoch storage e = _epochs[epoch];
        if (e.claimBy == 0 || block.timestamp > e.claimBy || _hasClaimed[epoch][account]) return 0;
        return _share(e, account);
    }

    /// @inheritdoc ITreasury
    function fees() public view returns (uint128) {
        return (TOKEN.balanceOf(address(this)) - _accounted).toUint128();
    }

    /// @inheritdoc ITreasury
    function token() external view returns (address) {
        return address(TOKEN);
    }

    /// @inheritdoc ITreasury
    function dao() external view returns (address) {
        return DAO;
    }

    /// @inheritdoc ITreasury
    function start() external view returns (uint64) {
        return START;
    }

    /// @inheritdoc ITreasury
    function expropriationLock() external view returns (uint32) {
        return EXPROPRIATION_LOCK;
    }

    /// @inheritdoc ITreasury
    function epochLength() external view returns (uint32) {
        return EPOCH_LENGTH;
    }

    /// @inheritdoc ITreasury
    function claimPeriod() external view returns (uint32) {
        return CLAIM_PERIOD;
    }

    /// @inheritdoc ITreasury
    function dividendPerMille() external view returns (uint16) {
        return DIVIDEND_PER_MILLE;
    }

    /* PRIVATE */

    function _fill(uint256 bucketId, uint128 amount) private {
        _buckets[bucketId].amount += amount;
        _accounted += amount;
    }

    function _closed(uint256 epoch) private view returns (Epoch storage e) {
        e = _epochs[epoch];
        if (e.claimBy == 0) revert EpochUnknown(epoch);
    }

    function _share(Epoch storage e, address account) private view returns (uint128) {
        uint256 votes = IVotes(address(TOKEN)).getPastVotes(account, e.snapshot);
        // Of a closed epoch; its supply is zero only if its dividend is.
        if (votes == 0) return 0;
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint128(votes * e.dividend / e.supply); // votes are at most the supply, so at most the dividend
    }
}

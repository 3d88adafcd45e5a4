// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {IStanding} from "./interfaces/IStanding.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {IWhitelist} from "./interfaces/IWhitelist.sol";
import {WalletState} from "./types/Wallet.sol";

/// @title Standing
/// @notice See {IStanding}.
contract Standing is IStanding {
    using SafeERC20 for IERC20;

    /* TYPES */

    struct Marks {
        // slot 0
        bool verified;
        bool trusted;
        // slot 1
        uint128 stake; // of the standing ratings
        uint128 weighted; // sum of stake x score; scores are small and the supply is far below 2^128
    }

    /* CONSTANTS */

    uint8 public constant SCORE_MAX = 5;
    /// @notice 1 GIO: a crowd of ratings costs as much as it weighs.
    uint128 public constant STAKE_MIN = 1e8;
    /// @notice One payout period: who buys every month may rate every month.
    uint64 public constant PERIOD = 30 days;
    /// @notice As long as a suspicion: time to find out, to accuse and to vote.
    uint64 public constant HOLD = 120 days;
    /// @notice A hub that is away for a week is not yet overdue.
    uint64 public constant GRACE = 7 days;

    /* IMMUTABLES */

    IWhitelist private immutable WHITELIST;
    IERC20 private immutable TOKEN;
    address private immutable TREASURY;
    address private immutable CURATOR;

    /* STORAGE */

    /// @inheritdoc IStanding
    bool public isCurating = true;
    /// @inheritdoc IStanding
    uint256 public ratingCount;
    mapping(address wallet => Marks) private _marks;
    mapping(uint256 ratingId => Rating) private _ratings;
    mapping(address wallet => mapping(address rater => uint64)) private _nextRatingAt;

    /* CONSTRUCTOR */

    /// @param whitelist_ Whose wallets have a standing; its DAO is the DAO here.
    /// @param token_ What raters bet.
    /// @param treasury_ Who receives the stakes of false ratings.
    /// @param curator_ Who may vouch for hubs until a vote ends it; zero for nobody.
    constructor(IWhitelist whitelist_, IERC20 token_, address treasury_, address curator_) {
        bool coded = address(whitelist_).code.length != 0 && address(token_).code.length != 0;
        if (!coded || treasury_.code.length == 0) revert StandingParametersInvalid();
        (WHITELIST, TOKEN, TREASURY, CURATOR) = (whitelist_, token_, treasury_, curator_);
    }

    /* LEVELS */

    /// @inheritdoc IStanding
    function setVerified(address wallet, bool verified) external {
        _checkDao();
        _checkListed(wallet);
        _marks[wallet].verified = verified;
        emit VerifiedSet(wallet, verified);
    }

    /// @inheritdoc IStanding
    function setTrusted(address wallet, bool trusted) external {
        bool curates = isCurating && msg.sender == CURATOR;
        if (!curates && msg.sender != WHITELIST.dao()) revert NotCurator(msg.sender);
        _checkListed(wallet);
        _marks[wallet].trusted = trusted;
        emit TrustedSet(wallet, msg.sender, trusted);
    }

    /// @inheritdoc IStanding
    function endCuration() external {
        _checkDao();
        if (!isCurating) revert CurationOver();
        // INVARIANT: nothing sets it again.
        isCurating = false;
        emit CurationEnded();
    }

    /* RATINGS */

    /// @inheritdoc IStanding
    function rate(address wallet, uint8 score, uint128 stake) external returns (uint256 ratingId) {
        _checkListed(wallet);
        if (score == 0 || score > SCORE_MAX) revert ScoreOutOfRange(score);
        if (stake < STAKE_MIN) revert StakeTooLow(stake, STAKE_MIN);
        uint64 time = uint64(block.timestamp);
        uint64 nextAt = _nextRatingAt[wallet][msg.sender];
        if (time < nextAt) revert RatedAlready(nextAt);

        _nextRatingAt[wallet][msg.sender] = time + PERIOD;
        ratingId = ++ratingCount;
        _ratings[ratingId] = Rating({
            rater: msg.sender, ratedAt: time, score: score, state: RatingState.Standing, wallet: wallet, stake: stake
        });
        Marks storage marks = _marks[wallet];
        marks.stake += stake;
        marks.weighted += stake * score;
        emit HubRated(ratingId, wallet, msg.sender, score, stake);
        TOKEN.safeTransferFrom(msg.sender, address(this), stake);
    }

    /// @inheritdoc IStanding
    function takeBack(uint256 ratingId) external {
        Rating storage rating = _standing(ratingId);
        if (msg.sender != rating.rater) revert NotRater(msg.sender, rating.rater);
        uint64 until = rating.ratedAt + HOLD;
        if (block.timestamp < until) revert StakeHeld(until);
        uint128 stake = _end(rating, RatingState.TakenBack);
        emit RatingTakenBack(ratingId);
        TOKEN.safeTransfer(msg.sender, stake);
    }

    /// @inheritdoc IStanding
    function overturn(uint256 ratingId) external {
        _checkDao();
        uint128 stake = _end(_standing(ratingId), RatingState.Overturned);
        emit RatingOverturned(ratingId, stake);
        // As general money: a plain transfer would be fees, half of them dividends of those who voted for this.
        TOKEN.forceApprove(TREASURY, stake);
        ITreasury(TREASURY).deposit(stake);
    }

    /* VIEWS */

    /// @inheritdoc IStanding
    function levelOf(address wallet) external view returns (Level) {
        Marks storage marks = _marks[wallet];
        if (marks.trusted) return Level.Trusted;
        return marks.verified ? Level.Verified : Level.Unverified;
    }

    /// @inheritdoc IStanding
    function scoreOf(address wallet) external view returns (uint256 hundredths, uint128 stake) {
        stake = _marks[wallet].stake;
        if (stake != 0) hundredths = uint256(_marks[wallet].weighted) * 100 / stake;
    }

    /// @inheritdoc IStanding
    function isDelinquent(address wallet) external view returns (bool) {
        if (!isCertified(wallet)) return false;
        IHubWallet hub = IHubWallet(wallet);
        return block.timestamp > uint256(hub.registeredAt()) + hub.payoutPeriod() + GRACE;
    }

    /// @inheritdoc IStanding
    function isCertified(address wallet) public view returns (bool) {
        return WHITELIST.isListed(wallet) && IHubWallet(wallet).state() == WalletState.Registered;
    }

    /// @inheritdoc IStanding
    function ratingOf(uint256 ratingId) external view returns (Rating memory) {
        return _ratings[ratingId];
    }

    /// @inheritdoc IStanding
    function curator() external view returns (address) {
        return CURATOR;
    }

    /* PRIVATE */

    function _end(Rating storage rating, RatingState state) private returns (uint128 stake) {
        stake = rating.stake;
        rating.state = state;
        Marks storage marks = _marks[rating.wallet];
        marks.stake -= stake;
        marks.weighted -= stake * rating.score;
    }

    function _standing(uint256 ratingId) private view returns (Rating storage rating) {
        rating = _ratings[ratingId];
        if (rating.state != RatingState.Standing) revert RatingNotStanding(ratingId, rating.state);
    }

    function _checkDao() private view {
        address dao = WHITELIST.dao();
        if (msg.sender != dao) revert NotStandingDao(msg.sender, dao);
    }

    function _checkListed(address wallet) private view {
        if (!WHITELIST.isListed(wallet)) revert WalletNotListed(wallet);
    }
}
